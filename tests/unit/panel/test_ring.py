"""The ring of samples: its bytes, what it drops, and when its columns change."""

import math
from array import array

import pytest

from constraintlab.limits.resource import Resource as R
from constraintlab.panel.palette import DASHES
from constraintlab.panel.parts import Series
from constraintlab.panel.ring import KINDS, Ring
from constraintlab.telemetry.sample import Sample

TWO = (Series("a", "compute", R.COMPUTE, 200.0), Series("b", "busy", None, 4.0))


def ring(series=TWO, **options) -> Ring:
    made = Ring(**options)
    made.start(series)
    return made


def sample(t, a=50.0, b=1.0, source="counted") -> Sample:
    return Sample(t, {"a": a, "b": b}, {"a": source, "b": "measured"})


def floats(raw: bytes) -> list[float]:
    """64-bit floats in the machine's order, as the browser's Float64Array reads them."""
    made = array("d")
    assert made.itemsize == 8
    made.frombytes(raw)
    return made.tolist()


def test_a_row_is_the_time_then_the_shares_then_the_kinds():
    frame = ring().add(sample(1.5, a=50.0, b=3.0))
    # 50 of 200, 3 of 4; `counted` is the second kind, `measured` the first.
    assert floats(frame) == [1.5, 0.25, 0.75, 1.0, 0.0]


def test_all_rows_follow_each_other_oldest_first():
    held = ring()
    frames = [held.add(sample(t, a=100.0 * t)) for t in (0.0, 1.0, 2.0)]
    assert held.tobytes() == b"".join(frames) and len(held) == 3
    assert floats(held.tobytes())[::5] == [0.0, 1.0, 2.0]
    assert [row.tolist() for row in held.shares()] == [
        [0.0, 0.0, 0.25], [1.0, 0.5, 0.25], [2.0, 1.0, 0.25],
    ]  # fmt: skip


def test_a_source_travels_as_its_place_among_the_kinds():
    assert tuple(DASHES) == KINDS
    for source in ("measured", "counted", "recorded: H100", "modelled", "n/a: no GPU"):
        kind = int(floats(ring().add(sample(0.0, source=source)))[3])
        assert KINDS[kind] == source.split(":")[0]


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_can_not_be_drawn_is_nan(value):
    row = floats(ring().add(sample(0.0, a=value)))
    assert math.isnan(row[1]) and row[2:] == [0.25, 1.0, 0.0]


def test_a_share_too_large_for_a_float_is_nan_too():
    held = ring((Series("a", "tiny", R.COMPUTE, 1e-300),))
    assert math.isnan(floats(held.add(sample(0.0, a=1e300)))[1])


def test_a_value_that_no_source_gives_is_nan_and_says_so():
    held = ring((*TWO, Series("c", "gone", R.HOST)))
    row = floats(held.add(sample(0.0)))
    assert math.isnan(row[3]) and KINDS[int(row[6])] == "n/a"
    assert held.sources == ("counted", "measured", "n/a: c is not sampled")


def test_the_last_300_rows_are_kept():
    held = ring()
    for i in range(301):
        held.add(sample(float(i)))
    assert len(held) == 300
    times = floats(held.tobytes())[::5]
    assert (times[0], times[-1]) == (1.0, 300.0)


def test_a_clock_that_restarts_empties_the_ring():
    held = ring()
    for t in (4.0, 5.0, 5.0, 0.1):
        held.add(sample(t))
    assert [row[0] for row in held.shares()] == [0.1]


def test_the_same_moment_twice_is_no_restart():
    held = ring()
    for t in (4.0, 5.0, 5.0):
        held.add(sample(t))
    assert [row[0] for row in held.shares()] == [4.0, 5.0, 5.0]


def test_new_columns_are_a_new_epoch_without_rows():
    held = Ring()
    assert (held.epoch, held.tobytes()) == (0, b"")
    held.start(TWO)
    held.add(sample(0.0))
    held.start(TWO[:1])
    assert (held.epoch, len(held), held.tobytes()) == (2, 0, b"")
    assert held.sources == ("n/a: no sample yet",)
    assert floats(held.add(sample(1.0))) == [1.0, 0.25, 1.0]


def test_a_ring_without_columns_keeps_the_times():
    held = Ring()
    held.add(sample(2.0))
    assert floats(held.tobytes()) == [2.0]


@pytest.mark.parametrize("full", [0, -1.0, math.nan])
def test_a_ceiling_of_nothing_is_refused(full):
    with pytest.raises(ValueError, match=r"busy: full=.* is no ceiling"):
        Series("a", "busy", None, full)
