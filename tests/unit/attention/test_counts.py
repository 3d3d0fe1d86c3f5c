"""What fused and flash count, by device and backend, beside what is really computed and held."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import pytest
import torch

from constraintlab.attention import cpu_blocks, flash, flash_sdpa, fused, naive
from constraintlab.attention.cpu_blocks import Cut
from constraintlab.attention.rung import Shape

own = partial(flash.work, backend="own")


@pytest.mark.parametrize("work", [fused.work, own])
def test_counted_scores_are_halved_by_the_diagonal(work):
    # one block: every row sees the whole prompt; many blocks: half of it and half a block more
    small, long = Shape.square(100, heads=2, dim=8), Shape.square(8192, heads=2, dim=8)
    assert work(small).flops == 4 * 2 * 100 * 100 * 8
    assert 0.5 < work(long).flops / naive.work(long).flops < 0.53
    full = Shape.square(100, heads=2, dim=8, causal=False)
    assert work(full).flops == naive.work(full).flops


@pytest.mark.parametrize("tokens", [(100, 100), (300, 1100), (700, 300), (1, 900)])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(
    ("attend", "cut"),
    [(fused.attend, fused.cut),
     (partial(flash.attend, backend="own"), partial(flash.cut, backend="own"))],
    ids=["fused", "flash"],
)  # fmt: skip
def test_counted_scores_are_those_that_are_multiplied(attend, cut, causal, tokens, monkeypatch):
    shape, seen = Shape(1, 4, 2, *tokens, 8, causal=causal), []
    product = torch.baddbmm

    def counted(*args, out, **options):
        seen.append(out.numel())
        return product(*args, out=out, **options)

    monkeypatch.setattr(torch, "baddbmm", counted)
    attend(*shape.inputs(), causal=causal)
    assert sum(seen) == 4 * cut(shape).scores(*tokens, causal)


def test_tiles_that_are_computed_whole_by_hand():
    # blocks of 2 see 2, 4 and 5 keys; tiles of 4: one, one and all five
    assert Cut(2).scores(5, 5, True) == 2 * 2 + 2 * 4 + 1 * 5
    assert Cut(2, 4).scores(5, 5, True) == 2 * 4 + 2 * 4 + 1 * 5
    assert Cut(2, skips=False).scores(5, 5, True) == Cut(2).scores(5, 5, False) == 25
    # three queries come before the first of two keys: blocks of 2 see none, 1 and 2
    assert Cut(2).scores(5, 2, True) == 0 + 2 * 1 + 1 * 2


def test_a_gpu_s_blocks_are_not_the_cpu_s():
    cpu = Shape.square(1024, heads=2, dtype=torch.float16)
    gpu = replace(cpu, device="cuda")
    # whole rows whatever the mask: no half saved, and K and V once for each 16 queries
    assert fused.cut(gpu) == Cut(16, skips=False)
    assert fused.work(gpu).flops == naive.work(gpu).flops > 1.5 * fused.work(cpu).flops
    kv, q_out = 2 * 2 * 1024 * 64 * 2, 2 * 2 * 1024 * 64 * 2
    assert fused.work(gpu).bytes == q_out + kv * 1024 / 16
    assert flash.cut(gpu).block < 256 and flash.work(gpu).flops < fused.work(gpu).flops


@pytest.mark.skipif(not find_spec("triton"), reason="there is no Triton for this system")
def test_counted_tiles_are_those_that_the_kernels_are_launched_with():
    from constraintlab.attention import flash_triton, fused_triton

    assert fused.GPU.block == fused_triton.tile_for(1024).queries
    for dtype, dim in ((torch.float16, 64), (torch.float32, 128)):
        tile = flash_triton.tile_for(dtype, dim)
        shape = Shape.square(512, dim=dim, dtype=dtype, device="cuda")
        for asked in ("triton", "own"):
            assert flash.cut(shape, asked) == Cut(tile.queries, tile.keys)


def test_what_is_counted_is_the_backend_that_runs_or_that_is_named():
    shape = Shape.square(1024)
    assert flash.counted(shape) == flash.choice(shape).backend.name == "sdpa"
    assert flash.counted(shape, "own") == "cpu"
    assert flash.cut(shape) == Cut(256, 512) != flash.cut(shape, "own")
    # a mask as a tensor, which torch's own causal flag can't say, skips nothing
    assert flash.work(Shape(1, 1, 1, 512, 1024, 64)).flops == 4 * 512 * 1024 * 64
    assert flash.counted(Shape.square(8, device="cuda")) in ("flash-attn", "sdpa", "triton")
    with pytest.raises(ValueError, match="'tritn' is unknown: use auto, own"):
        flash.work(shape, "tritn")


def test_on_a_gpu_nothing_but_the_output_is_held_and_a_library_s_logarithms():
    shape = Shape.square(4096, device="cuda", dtype=torch.float16)
    out = 8 * 4096 * 64 * 2
    assert fused.peak_bytes(shape) == flash.peak_bytes(shape, "triton") == out
    assert flash.peak_bytes(shape, "flash-attn") == out + 8 * 4096 * 4


def test_a_dtype_that_this_cpu_converts_is_counted_converted(monkeypatch):
    shape = Shape.square(512, heads=16, dtype=torch.bfloat16)
    monkeypatch.setattr(cpu_blocks, "_supported", lambda name: True)
    fast = [fused.peak_bytes(shape), flash.peak_bytes(shape, "own")]
    monkeypatch.setattr(cpu_blocks, "_supported", lambda name: False)
    slow = [fused.peak_bytes(shape), flash.peak_bytes(shape, "own")]
    # q, k and v of two turns of 4 and of 8 heads in fp32; scores twice as wide, or held once only
    assert slow[0] - fast[0] == 3 * 8 * 512 * 64 * 4 + (4 * 128 * 512 + 128 * 128) * 2
    assert slow[1] - fast[1] == 3 * 16 * 512 * 64 * 4 - 8 * 256 * 512 * 2 + 8 * 256 * 64 * 2


SEEN = """
import ctypes, json, torch
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # no huge pages, which would round all up to 2 MiB
from constraintlab.attention import flash, fused
from constraintlab.attention.rung import Shape
from constraintlab.course.memory import peak
found = {}
for heads, queries, keys, dtype in json.loads(%r):
    shape = Shape(1, 8, heads, queries, keys, 64, getattr(torch, dtype))
    q, k, v = shape.inputs()
    for name, rung, given in (("sdpa", flash, {"backend": "sdpa"}),
                              ("own", flash, {"backend": "own"}), ("fused", fused, {})):
        call = lambda: rung.attend(q, k, v, **given)
        call()
        seen = sorted(peak(call) for _ in range(3))[1]
        found[f"{name}: {shape}"] = (seen, rung.peak_bytes(shape, **given))
print(json.dumps(found))
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux resets its peak of memory")
def test_counted_memory_is_what_the_system_sees():
    """glibc told to return blocks from 64 KiB on at once, so that resident memory tells."""
    shapes = [(8, 1024, 1024, "float32"), (2, 512, 2048, "float32"), (8, 1024, 1024, "float16")]
    done = subprocess.run(
        [sys.executable, "-c", SEEN % json.dumps(shapes)], capture_output=True, text=True,
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name, (seen, counted) in json.loads(done.stdout).items():
        assert abs(seen - counted) < 0.15 * counted, (name, seen, counted)


def test_torch_s_scratch_by_hand():
    one = Shape.square(1024, heads=1)
    logs, a_thread = 1024 * 4, (256 * 512 + 2 * 256 + 256 * 64) * 4
    assert flash_sdpa.cpu_scratch(one) == logs + torch.get_num_threads() * a_thread
