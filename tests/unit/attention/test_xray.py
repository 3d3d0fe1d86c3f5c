"""The x-ray: parsers on listings, occupancy by hand, real kernels compiled without a GPU."""

import json
import pickle
import re
import sys
from importlib import import_module

import pytest
from typer.testing import CliRunner

from constraintlab.attention.xray import Xray, XrayError, rungs, sass, sweep, target_of, xray, xrays
from constraintlab.attention.xray.compile import ARCHS, _outcome, _start, capability
from constraintlab.attention.xray.job import Job
from constraintlab.attention.xray.occupancy import CHIPS, occupancy

pytestmark = pytest.mark.long

needs_triton = pytest.mark.skipif(
    sys.platform != "linux", reason="there is no Triton for this system"
)

USAGE = """Resource usage:
 Common:
  GLOBAL:11 CONSTANT[4]:8
 Function flash_kernel:
  REG:127 STACK:16 SHARED:1024 LOCAL:0 CONSTANT[0]:640 TEXTURE:0 SURFACE:0 SAMPLER:0
"""
LISTING = """
	.target	sm_90a
flash_kernel:
.text.flash_kernel:
	//## File "/a/flash_triton.py", line 9
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/               @P0 BRA `(.L_x_0) ;
        /*0020*/              @!UP1 LDGSTS.E.BYPASS.128 [R3], desc[UR4][R2.64] ;
	//## File "/a/flash_triton.py", line 12
.L_x_0:
        /*0030*/                   HGMMA.64x64x16.F32 R24, gdesc[UR8] ;
        /*0040*/                   HMMA.16816.F32 R4, R8, R16, RZ ;
        /*0050*/                   MUFU.EX2 R5, R6 ;
        /*0060*/                   MUFU.RCP R5, R6 ;
        /*0070*/                   STL.64 [R1+0x8], R6 ;
        /*0080*/                   LDL.LU R6, [R1+0x8] ;
	//## File "/triton/standard.py", line 263 inlined at "/a/flash_triton.py", line 13
        /*0090*/                   LDSM.16.M88.4 R8, [R9] ;
        /*0094*/                   LDL.LU.128 R8, [R1+0x8] ;
        /*10a0*/                   EXIT ;
"""


def test_a_listing_is_read_instruction_by_instruction():
    code = sass.parsed(USAGE, LISTING)
    assert (code.registers, code.stack, code.total) == (127, 16, 12)
    assert code.counts == {
        "matrix": 2, "exp2": 1, "async copy": 1, "global load": 0, "global store": 0,
        "shared load": 1, "shared store": 0, "spill load": 2, "spill store": 1, "barrier": 0,
    }  # fmt: skip
    assert code.matrix == "HGMMA 1, HMMA 1"
    assert "// flash_triton.py:12\n" in code.text and "HMMA.16816.F32 R4" in code.text
    assert ".L_x_0:" not in code.text


def test_spills_are_counted_in_bytes_by_line_of_the_source():
    lines = sass.parsed(USAGE, LISTING).spills
    assert [(s.file, s.line, s.moved) for s in lines] == [
        ("standard.py", 263, 16), ("flash_triton.py", 12, 8 + 4)
    ]  # fmt: skip
    assert [sass.width(o) for o in ("STL", "LDL.LU.64", "STL.128", "LDL.U8")] == [4, 8, 16, 1]


@pytest.mark.parametrize(("usage", "listing"), [("", LISTING), (USAGE, ""), ("nonsense", "x")])
def test_a_listing_without_a_kernel_is_refused(usage, listing):
    with pytest.raises(XrayError, match="no kernel in it"):
        sass.parsed(usage, listing)


@pytest.mark.parametrize(
    ("cc", "registers", "shared", "warps", "blocks", "limit"),
    [
        # A100, 64 registers · 256 threads: a warp takes 2048, 32 warps fit, 4 programs of 8
        (80, 64, 0, 8, 4, "registers"),
        # 32 registers · 128 threads: 64 warps fit, the chip's own limit
        (80, 32, 0, 4, 16, "registers"),
        (80, 16, 0, 1, 32, "programs"),
        (80, 16, 0, 8, 8, "warps"),
        # 100 KiB and the reserved one: one of 164 KiB, two of 228 KiB
        (80, 32, 100 * 1024, 4, 1, "shared memory"),
        (90, 32, 100 * 1024, 4, 2, "shared memory"),
        (90, 255, 0, 8, 1, "registers"),
        (90, 32, 228 * 1024, 4, 0, "shared memory"),
    ],
)
def test_occupancy_by_hand(cc, registers, shared, warps, blocks, limit):
    found = occupancy(CHIPS[cc], registers, shared, warps)
    assert (found.blocks, found.limited_by) == (blocks, limit)
    assert found.share == blocks * warps / CHIPS[cc].warps


@pytest.mark.parametrize(
    ("registers", "columns", "blocks", "limit"),
    [
        (32, 0, 16, "registers"),
        # 512 columns: four programs of 128 where registers would let 16 in
        (32, 128, 4, "tensor memory"),
        # 128 registers let 4 in as well; 255 only 2
        (255, 128, 2, "registers"),
        (32, 512, 1, "tensor memory"),
        (32, 1024, 0, "tensor memory"),
    ],
)
def test_tensor_memory_by_hand(registers, columns, blocks, limit):
    found = occupancy(CHIPS[100], registers, 0, 4, columns)
    assert (found.blocks, found.limited_by) == (blocks, limit)
    assert occupancy(CHIPS[90], 32, 0, 4, 32).blocks == 0


RUNGS = [("fused", {}), ("flash", {}), ("paged-prefill", {})]
WIDER = [
    ("flash", {"dim": 128, "dtype": "bfloat16"}),
    ("flash", {"dim": 128, "causal": False}),
    ("paged-prefill", {"dim": 128}),
    ("paged-prefill", {"dim": 128, "windowed": True}),
]


@pytest.fixture(scope="module")
def looks():
    """X-rays by (rung, its options, arch), compiled in one go."""
    wanted = [(rung, o, arch) for rung, o in RUNGS[:2] for arch in ARCHS]
    wanted += [(rung, o, "sm_90") for rung, o in [RUNGS[2], *WIDER]]
    made = xrays([(made_of(rung, o), arch) for rung, o, arch in wanted])
    return {(rung, str(o), arch): x for (rung, o, arch), x in zip(wanted, made, strict=True)}


def made_of(rung, options):
    """Also with options that are no tile's, which `target_of` doesn't take."""
    module = import_module(f"constraintlab.attention.{rungs.RUNGS[rung]}")
    return module.target(**({"dtype": "float16", "dim": 64} | options))


@needs_triton
@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("rung", ["fused", "flash"])
def test_a_rung_is_x_rayed_for_a_gpu_that_is_not_here(looks, rung, arch):
    x = looks[rung, "{}", arch]
    assert 32 < x.registers <= 255 and x.spill_bytes == 0 and x.fits and x.spill_lines == ()
    assert x.instructions["matrix"] > 0 and x.instructions["exp2"] > 0
    assert 0 < x.occupancy.share <= 1 and x.total > 500
    json.dumps(x.as_dict())


@needs_triton
def test_each_gpu_has_matrix_instructions_of_its_own(looks):
    names = {arch: looks["flash", "{}", arch].matrix for arch in ARCHS}
    assert "HMMA" in names["sm_80"] and "HGMMA" in names["sm_90"] and "UTCHMMA" in names["sm_100"]


@needs_triton
@pytest.mark.parametrize(("rung", "options"), [*RUNGS[1:], *WIDER], ids=str)
def test_products_overlap_on_hopper(looks, rung, options):
    """ptxas says C7515 where it runs them one after the other, and only there."""
    x = looks[rung, str(options), "sm_90"]
    assert "HGMMA" in x.matrix and x.fits and not x.spill_bytes
    assert x.warnings == ()


@needs_triton
def test_tensor_memory_is_blackwell_s_alone(looks):
    old, new = looks["flash", "{}", "sm_90"], looks["flash", "{}", "sm_100"]
    assert (old.columns, old.columns_limit, new.columns_limit) == (0, 0, 512)
    # the scores' 64 columns and the output's, each for 128 rows, in powers of two
    assert 128 <= new.columns <= 256 and new.as_dict()["tensor_columns"] == new.columns


def test_more_tensor_memory_than_there_is_can_not_be_launched():
    held = occupancy(CHIPS[100], 32, 0, 4, 1024)
    x = Xray("sm_100", 32, 0, 0, 227 * 1024, 4, held, "", {}, 1, "", columns=1024,
             columns_limit=512)  # fmt: skip
    assert not x.fits and x.reason == "asks for 1024 of 512 columns of tensor memory"


@needs_triton
def test_spilled_bytes_are_those_that_ptxas_reports(tmp_path):
    job = Job.of(target_of("fused", keys=256, queries=64), 80)
    (tmp_path / "jobs").write_bytes(pickle.dumps([job]))
    _start(tmp_path, [0]).wait()
    code = _outcome(tmp_path / "0.done").code
    said = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads",
                     (tmp_path / "0.log").read_text())  # fmt: skip
    stack, stores, loads = map(int, said.groups())
    assert code.stack == stack and sum(s.moved for s in code.spills) == stores + loads > 0


@needs_triton
def test_whole_rows_outgrow_the_chip_and_that_is_a_finding():
    found = sweep(lambda keys: target_of("fused", keys=keys), (512, 1024, 2048), ("sm_90",))
    small, edge, beyond = (x for _, x in found)
    assert small.registers < edge.registers and small.shared * 2 == edge.shared
    assert edge.fits and not beyond.fits and beyond.spill_bytes > 0
    assert beyond.instructions["spill store"] > 0 and beyond.occupancy.blocks == 0
    assert "320 of 227 KiB" in beyond.reason
    assert small.spill_lines == () and "tl.dot" in beyond.spill_lines[0].text
    assert beyond.spill_lines[0].where.startswith("fused_triton.py:")
    assert xray(target_of("flash"), "sm_90").fits


@pytest.mark.parametrize("arch", ["sm90", "sm_70", "90", "h100"])
def test_an_unknown_arch_names_the_known_ones(arch):
    with pytest.raises(XrayError, match="sm_80, sm_90, sm_100"):
        capability(arch)


@needs_triton
@pytest.mark.parametrize(
    ("rung", "options", "says"),
    [
        ("fusd", {}, "use one of fused"),
        ("fused", {"dtype": "int8"}, "use one of float16"),
        ("fused", {"stages": 2}, "no option stages"),
        ("fused", {"keys": 1000}, "powers of two"),
        ("flash", {"queries": 8}, "16 or more"),
        ("flash", {"warps": 64}, "32 at most"),
        ("flash", {"dim": 512}, "dim 512"),
        ("flash", {"keys": 0}, "powers of two"),
        ("fused", {"queries": 64.0}, "queries=64.0: give a whole number"),
        ("fused", {"queries": "a"}, "give a whole number"),
        ("fused", {"queries": 4096, "keys": 256}, "fits on no chip.*take fewer queries or keys"),
    ],
)
def test_a_target_that_cannot_be_says_what_can(rung, options, says):
    with pytest.raises(XrayError, match=says):
        target_of(rung, **options)


def test_a_missing_tool_is_named(monkeypatch):
    monkeypatch.setattr(sass, "tool", lambda name: "/no/such/cuobjdump")
    with pytest.raises(XrayError, match="cuobjdump can't run here"):
        sass.disassembled(b"")


@needs_triton
def test_a_file_that_is_no_cubin_is_refused():
    with pytest.raises(XrayError, match=r"cuobjdump|no kernel"):
        sass.disassembled(b"nothing")


@needs_triton
def test_an_edited_kernel_shows_the_change():
    """A kernel in a notebook cell, run again after an edit under the same name."""
    from IPython.core.interactiveshell import InteractiveShell

    cell = """
import triton
import triton.language as tl
from constraintlab.attention.target import Target
from constraintlab.attention.xray import xray

@triton.jit
def mine(x_ptr, N: tl.constexpr):
    at = tl.arange(0, N)
    x = tl.load(x_ptr + at)
    tl.store(x_ptr + at, EDIT)

seen = xray(Target(mine, {"x_ptr": "*fp32"}, {"N": 1024}), "sm_90")
"""
    shell = InteractiveShell()
    counts = []
    for edit in ("x + 1", "tl.exp2(x)"):
        assert shell.run_cell(cell.replace("EDIT", edit)).success
        counts.append(shell.user_ns["seen"].instructions["exp2"])
    assert counts[0] == 0 and counts[1] > 0


@pytest.fixture
def cli():
    from constraintlab.cli import app

    return lambda *words: CliRunner().invoke(app, ["xray", *words])


def test_without_a_rung_the_command_names_them(cli):
    done = cli()
    assert done.exit_code == 2
    assert "name a rung, one of fused, flash, paged-decode, paged-prefill" in done.stderr


@needs_triton
def test_the_command_prints_json_alone_and_says_where_the_code_is(cli):
    done = cli("flash", "--arch", "sm_80", "--arch", "sm_90", "--json")
    whole = json.loads(done.stdout)
    assert done.exit_code == 0 and [a["arch"] for a in whole["archs"]] == ["sm_80", "sm_90"]
    first = whole["archs"][0]
    assert {"registers", "spill_bytes", "shared_bytes", "occupancy", "matrix"} <= first.keys()
    with open(first["where"]) as file:
        assert "HMMA" in file.read()


@needs_triton
def test_the_table_says_what_can_not_be_launched(cli):
    said = cli("fused", "--arch", "sm_90", "--keys", "2048").stdout
    assert "no launch could run it, it asks for 320 of 227 KiB" in said and "registers" in said
    spill = r"sm_90: spills at fused_triton\.py:\d+, [\d,]+ B moved: scores = tl\.dot"
    assert re.search(spill, said)
    assert "tensor memory" not in said
    assert re.search(r"tensor memory +256 of 512 columns", cli("flash", "--arch", "sm_100").stdout)


@pytest.mark.parametrize(
    "words", [("fusd",), ("flash", "--arch", "sm_1"), ("flash", "--keys", "7")]
)
def test_a_wrong_word_ends_in_one_line(cli, words):
    done = cli(*words)
    assert done.exit_code == 2 and done.stdout == ""
    assert done.stderr.startswith("xray: ") and "Traceback" not in done.stderr
