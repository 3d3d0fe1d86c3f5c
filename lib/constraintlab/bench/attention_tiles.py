"""Which tile our Triton flash should have on this GPU: candidates, raced in one run.

`flash_triton.TILES` has one tile that an A100 and an H100 both hold. The candidates are its
neighbours that ptxas makes for sm_90 without a spill (`constraintlab xray flash --arch sm_90`, and
a test holds it); which of them is the fastest only a GPU can tell.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from constraintlab.bench.attention_peers import checked
from constraintlab.bench.device_clock import DeviceClock
from constraintlab.bench.interval import median_of
from constraintlab.bench.report import Report
from constraintlab.course.measure import interleave

CANDIDATES = {
    64: ((128, 64, 8, 4), (128, 64, 4, 3), (128, 128, 8, 2), (64, 64, 4, 3), (64, 128, 4, 3)),
    128: ((128, 64, 8, 2), (128, 128, 8, 2), (128, 32, 8, 3), (64, 64, 4, 3)),
}
"""Head size → queries, keys, warps, stages. Two programs of fewer warps on a multiprocessor hide
each other's softmax; one of more queries reads each key less often."""


def fastest(
    report: Report,
    clock: DeviceClock,
    sizes,
    dim: int,
    rounds: int,
    own: dict[str, Callable],
) -> None:
    """Race the candidates; where another than the launch's own wins, add it to `own` as `tuned`."""
    from constraintlab.bench.attention_gpu import inputs, problem

    metric = f"tuned_tile_over_default_d{dim}"
    if clock.device != "cuda":
        report.skip(metric, "tiles are a GPU's: no NVIDIA GPU here")
        return
    from constraintlab.attention.flash_triton import attend, tile_for
    from constraintlab.attention.triton_launch import Tile

    shape = problem(sizes, dim, sizes.tuned_at, clock.device)
    usual = tile_for(shape.dtype, dim)
    tiles = [usual, *(Tile(*row) for row in CANDIDATES.get(dim, ()))]
    calls = {str(tile): partial(attend, tile=tile) for tile in tiles}
    ready, broken = checked(calls, inputs(shape))
    for name, why in broken.items():
        report.skip(f"{metric}: {name}", why)
    if str(usual) not in ready:
        report.skip(metric, "the launch's own tile does not run here")
        return
    seen = interleave(ready, rounds=rounds, budget=sizes.budget, wait=clock.wait, lap=clock.lap)
    best = min(ready, key=seen.median)
    told = "; ".join(f"{name} {1e3 * seen.median(name):.3f} ms" for name in ready)
    report.add(metric, median_of(seen.ratios(best, str(usual)), "×"),
               f"{shape}; fastest: {best}; launched: {usual}; {told}")  # fmt: skip
    if best != str(usual):
        own["tuned"] = calls[best]
