"""`bench paged`: a decode step through block tables against gathered and contiguous KV.

On the CPU, or on an NVIDIA GPU where torch can use one, with that GPU's own clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from statistics import median

from constraintlab.bench.device_clock import DeviceClock
from constraintlab.bench.interval import median_of
from constraintlab.bench.paged_cases import Case, Plan, plan
from constraintlab.bench.report import Report
from constraintlab.course.measure import Rounds, interleave

Say = Callable[[str], object]

BEYOND = 512 * 1024**2
"""Bytes of keys and values that one call goes over, as a model does layer by layer: no cache
holds them."""
GATHERS = ("gather, all at once", "gather, one by one")
IN_ORDER = "paged, blocks in order"
CONTIGUOUS = ("contiguous, groups as rows", "contiguous, enable_gqa", "contiguous, repeated")


def layers(case: Case) -> int:
    """Sets of caches, each of one step's bytes, that are more than any cache holds."""
    return case.sets or max(2, -(-BEYOND // replace(case, window=None).kv_bytes))


def steps(case: Case, *, peers: bool = True) -> dict[str, Callable[[], object]]:
    """Name → a decode step of `layers(case)` layers, each with caches of its own."""
    import torch

    from constraintlab.attention import paged

    g = torch.Generator().manual_seed(0)
    blocks = -(-case.length // case.page)
    q = case.random(case.batch, case.heads, case.dim)
    lens = torch.full((case.batch,), case.length, dtype=torch.int32, device=case.device)
    size = (case.batch * blocks, case.page, case.kv_heads, case.dim)
    pools, tables = [], []
    for layer in range(layers(case)):
        pools.append(tuple(case.random(*size, seed=2 * layer + i) for i in (1, 2)))
        ids = torch.randperm(case.batch * blocks, generator=g).to(case.device, torch.int32)
        tables.append(ids.view(case.batch, blocks))

    in_order = torch.arange(case.batch * blocks, dtype=torch.int32, device=case.device)
    in_order = in_order.view(case.batch, blocks)

    def through(backend, tables=tables):
        for pool, table in zip(pools, tables, strict=True):
            paged.attend_paged(q, *pool, table, lens, window=case.window, backend=backend)

    calls = {
        "paged": partial(through, "own"),
        IN_ORDER: partial(through, "own", [in_order] * len(pools)),
    }
    if peers:
        calls[GATHERS[0]] = partial(_gather, q, pools, tables, case)
        calls[GATHERS[1]] = partial(through, paged.GATHER)
        calls |= _contiguous(q, pools, case)
    return calls


def _gather(q, pools: list, tables: list, case: Case) -> None:
    """Every block of every sequence in one indexing, then SDPA with a group's heads as rows."""
    import torch

    rows = q.view(case.batch, case.kv_heads, -1, case.dim)
    for pool, table in zip(pools, tables, strict=True):
        k, v = (p[table.long()].flatten(1, 2).transpose(1, 2) for p in pool)
        torch.nn.functional.scaled_dot_product_attention(rows, k, v)


def _contiguous(q, pools: list, case: Case) -> dict[str, Callable[[], object]]:
    """torch's SDPA over the same bytes lying in order, in each way to share a KV head."""
    import torch

    group = case.heads // case.kv_heads
    shape = (case.batch, -1, case.kv_heads, case.dim)
    caches = [[p.view(shape).transpose(1, 2).contiguous() for p in pool] for pool in pools]
    sdpa = torch.nn.functional.scaled_dot_product_attention
    rows, single = q.view(case.batch, case.kv_heads, group, case.dim), q[:, :, None]

    def repeated(k, v):
        return sdpa(single, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1))

    ways = (
        lambda k, v: sdpa(rows, k, v),
        lambda k, v: sdpa(single, k, v, enable_gqa=True),
        repeated,
    )
    return {
        name: lambda way=way: [way(*cache) for cache in caches] and None
        for name, way in zip(CONTIGUOUS, ways, strict=True)
    }


def against(case: Case, peers: tuple[str, ...], rounds: int) -> dict[str, Rounds]:
    """A race of two for each peer: one that floods memory would slow down whoever comes next."""
    calls, clock = steps(case), DeviceClock(case.device)
    return {
        peer: interleave({"paged": calls["paged"], peer: calls[peer]}, rounds=rounds,
                         wait=clock.wait, lap=clock.lap)
        for peer in peers
    }  # fmt: skip


def run(
    rounds: int = 15, say: Say = lambda _: None, device: str = "cpu", cases: Plan | None = None
) -> Report:
    """Every metric of the paged rung on this device, in about a minute."""
    from constraintlab.attention import paged
    from constraintlab.limits.machine import describe

    report, found = Report("paged", describe(device)), paged.availability(device)
    why = found.reason
    if found.backend == paged.GATHER:
        for metric in ("paged_over_gather", "paged_over_contiguous_sdpa", "paged_bandwidth_share"):
            report.skip(metric, f"no kernel of ours runs here: {why}")
        return report
    cases = cases or plan(device)
    case, clock = cases.case, DeviceClock(device)
    say(f"{case} …")
    for metric, peers in (
        ("paged_over_gather", GATHERS), ("paged_over_contiguous_sdpa", CONTIGUOUS),
    ):  # fmt: skip
        seen, ms = against(case, peers, rounds), 1e3 / layers(case)
        ratios = {peer: median_of(seen[peer].ratios("paged", peer), "×") for peer in peers}
        fastest = min(ratios, key=lambda peer: ratios[peer].value)
        for peer, ratio in ratios.items():
            times = (
                f"{seen[peer].median('paged') * ms:.2f} ms against "
                f"{seen[peer].median(peer) * ms:.2f} ms"
            )
            name = metric if peer == fastest else f"{metric}_{re.sub(', | ', '_', peer)}"
            report.add(name, ratio, f"{case}; over {peer}; {times}")
    calls = steps(case)
    three = {name: calls[name] for name in (IN_ORDER, "paged", fastest)}
    seen = interleave(three, rounds=rounds, wait=clock.wait, lap=clock.lap)
    del calls, three
    for metric, peer, why in (
        ("paged_in_order_over_shuffled", "paged", "what scattering the blocks costs"),
        ("paged_in_order_over_contiguous_sdpa", fastest, f"over {fastest}, as orderly as it"),
    ):
        ratio = median_of(seen.ratios(IN_ORDER, peer), "×")
        report.add(metric, ratio, f"{case}; the same kernel over blocks that lie in order; {why}")
    for suffix, other in cases.shares:
        say(f"bandwidth, {other} …")
        share = bandwidth_share(other, rounds)
        report.add(f"paged_bandwidth_share{suffix}", share, f"{other}; of reading, probed between")
    return report


def bandwidth_share(case: Case, rounds: int):
    """Bytes of keys and values a second ÷ bytes a second that the probe moves, round by round.

    The probe is the better of two patterns, as `limits.probes.memory.bandwidth` has it: a GPU
    may read faster alone than it updates in place, or the other way round.
    """
    import torch

    step, clock = steps(case, peers=False)["paged"], DeviceClock(case.device)
    stream = torch.zeros((case.stream or _stream_size(case.device)) // 4, device=case.device)
    other = torch.zeros_like(stream) if case.device == "cuda" else None
    calls = {"paged": step, "read": stream.sum}
    if other is not None:
        calls["update"] = lambda: stream.add_(other)
    seen = interleave(calls, rounds=rounds, wait=clock.wait, lap=clock.lap)
    ours = [layers(case) * case.kv_bytes / s for s in seen.seconds["paged"]]
    theirs = [[stream.nbytes / s for s in seen.seconds["read"]]]
    if other is not None:
        theirs.append([3 * stream.nbytes / s for s in seen.seconds["update"]])
    best = max(theirs, key=median)
    return median_of([a / b for a, b in zip(ours, best, strict=True)], "×")


def _stream_size(device: str) -> int:
    """Bytes to stream beside a step: more than the device's caches hold."""
    from constraintlab.limits import cgroup
    from constraintlab.limits.probes.memory import read_size

    if device != "cuda":
        return read_size(cgroup.available_bytes())
    import torch

    return read_size(
        torch.cuda.mem_get_info()[0], torch.cuda.get_device_properties(0).L2_cache_size
    )
