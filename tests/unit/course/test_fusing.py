"""Lab 02's table, race and x-rays: what they count, and what a machine without Triton sees."""

from importlib.util import find_spec

import pytest

from constraintlab.attention import fused, naive
from constraintlab.attention.rung import Shape
from constraintlab.attention.workspace import Workspace
from constraintlab.attention.xray import XrayError
from constraintlab.course import fixes, fusing, xrays
from constraintlab.course.measure import interleave
from constraintlab.course.rungs import rung_stack
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.catalogue import counted, more
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.limits.whatif import whatif
from tests.unit.limits.cases import exactly

pytestmark = pytest.mark.long

MACHINE = Capacities(
    {"float32": exactly(2e11), "exp": exactly(5e9)}, exactly(5e10), exactly(4e9), cores=2
)


def test_extra_memory_leaves_the_output_out():
    shape = Shape.square(64, heads=2, dim=8)
    assert fusing.extra(naive, shape) == naive.peak_bytes(shape) - 2 * 64 * 8 * 4
    long = Shape.square(2048)
    assert 0 < 20 * fusing.extra(fused, long) < fusing.extra(naive, long)


def test_the_table_puts_counted_beside_seen():
    shape = Shape.square(32, heads=1, dim=8)
    rungs = {"textbook": naive, "fused": fused}
    q, k, v = shape.inputs()
    rounds = interleave({n: lambda r=r: r.attend(q, k, v) for n, r in rungs.items()}, rounds=3)
    said = str(fusing.table(shape, rungs, rounds, {"textbook": 123, "fused": 0}))
    assert "123 B" in said and "traffic, counted" in said


def test_the_decoy_is_predicted_to_be_worth_nothing():
    shape = Shape.square(512, heads=2)
    textbook, now = (rung_stack(r.kernels(shape), shape, MACHINE) for r in (naive, fused))
    fix = whatif(diagnose(textbook, MACHINE), counted("fused", now))
    decoy = whatif(diagnose(now, MACHINE), more(Resource.BANDWIDTH, 2))
    assert fix.gain.value > 1.5 and decoy.gain.value == pytest.approx(1.0, abs=0.02)
    raced = fusing.race_decoy(shape, lambda: None, rounds=3)
    assert list(raced) == ["fused", "k, v in 16 bits"]
    assert all(g.low <= g.value <= g.high for g in raced.values())


def test_no_autograd_is_never_predicted_to_cost_host_time():
    seen = fixes.strength(Shape.square(32, heads=1, dim=8), lambda: None, rounds=3)
    assert seen.unit == "×" and seen.value > 0
    (size,) = fixes.no_autograd(Estimate(1.2, 0.9, 1.4, "×")).sizes
    assert (size.value, size.low, size.high) == (1.2, 1.0, 1.4)
    (size,) = fixes.no_autograd(Estimate(0.9, 0.8, 0.95, "×")).sizes
    assert size.value == size.high == 1.0


def test_both_of_lab_01_s_fixes_are_raced():
    shape = Shape.square(64, heads=1, dim=8)
    raced = fixes.race_fixes(shape, Workspace(), lambda: None, rounds=3)
    assert list(raced) == ["no autograd", "workspace"]
    assert all(g.low <= g.value <= g.high for g in raced.values())


@pytest.fixture
def no_triton(monkeypatch):
    def missing(*_, **__):
        raise XrayError("the x-ray needs Triton, which is not here")

    monkeypatch.setattr(xrays, "target_of", missing)


def test_without_triton_every_x_ray_says_why(no_triton, capsys):
    for shown in (xrays.kernel("fused"), xrays.table("fused"), xrays.chart([])):
        assert "n/a" in str(shown)
    assert xrays.run((64,)) == [] and "needs Triton" in capsys.readouterr().out
    assert xrays.longest([], "sm_90") is None


def test_the_longest_row_is_the_last_that_neither_spills_nor_overflows():
    found = xrays.run((512, 1024, 2048), ("sm_90",))
    if not found:
        pytest.skip("there is no Triton for this system")
    assert xrays.longest(found, "sm_90") == 1024
    assert "Up to 1024 keys fit" in str(xrays.chart(found))


def test_what_is_no_target_and_a_single_arch_are_understood():
    assert "give a Target" in str(xrays.of(None)) and "give a Target" in str(xrays.of(lambda: 3))
    assert "'sm_7'" in str(xrays.table("fused", "sm_7")), "one arch needs no list"


@pytest.mark.skipif(not find_spec("triton"), reason="no Triton here")
def test_a_kernel_of_your_own_takes_the_rung_s_place():
    from constraintlab.attention.fused_triton import fused_kernel

    theirs, mine = (xrays.table("fused", "sm_80", kernel=k) for k in (None, fused_kernel))
    assert str(theirs) == str(mine) and "sm_80" in str(mine)
    assert "@triton.jit" in str(xrays.table("fused", "sm_80", kernel=lambda x: x))


def test_a_wrong_tile_is_told_in_the_notebook_too():
    assert "powers of two" in str(xrays.table("fused", keys=100)) or "n/a" in str(
        xrays.table("fused", keys=100)
    )
