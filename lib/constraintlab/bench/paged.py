"""`bench paged`: a decode step through block tables against gathered and contiguous KV."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from constraintlab.bench.interval import median_of
from constraintlab.bench.report import Report
from constraintlab.course.measure import Rounds, interleave

Say = Callable[[str], object]

BEYOND = 512 * 1024**2
"""Bytes of keys and values that one call goes over, as a model does layer by layer: no cache
holds them."""
GATHERS = ("gather, all at once", "gather, one by one")
IN_ORDER = "paged, blocks in order"
CONTIGUOUS = ("contiguous, groups as rows", "contiguous, enable_gqa", "contiguous, repeated")


@dataclass(frozen=True)
class Case:
    """Sequences of equal length; `window`: keys that count, None for all."""

    batch: int = 16
    length: int = 2048
    heads: int = 8
    kv_heads: int = 4
    dim: int = 64
    page: int = 16
    dtype: str = "float32"
    window: int | None = None

    @property
    def kv_bytes(self) -> int:
        """Keys and values that one step reads."""
        keys = self.length if self.window is None else min(self.length, self.window)
        item = 4 if self.dtype == "float32" else 2
        return 2 * self.batch * keys * self.kv_heads * self.dim * item

    def __str__(self) -> str:
        wide = f", window {self.window}" if self.window else ""
        return (
            f"B={self.batch}, L={self.length}, Hq={self.heads}, Hkv={self.kv_heads}, "
            f"D={self.dim}, {self.dtype}{wide}"
        )


def layers(case: Case) -> int:
    """Sets of caches, each of one step's bytes, that are more than any cache holds."""
    return max(2, -(-BEYOND // replace(case, window=None).kv_bytes))


def steps(case: Case, *, peers: bool = True) -> dict[str, Callable[[], object]]:
    """Name → a decode step of `layers(case)` layers, each with caches of its own."""
    import torch

    from constraintlab.attention import paged

    g = torch.Generator().manual_seed(0)
    kind = getattr(torch, case.dtype)
    blocks = -(-case.length // case.page)
    q = torch.randn(case.batch, case.heads, case.dim, generator=g).to(kind)
    lens = torch.full((case.batch,), case.length, dtype=torch.int32)
    size = (case.batch * blocks, case.page, case.kv_heads, case.dim)
    pools, tables = [], []
    for _ in range(layers(case)):
        pools.append(tuple(torch.randn(size, generator=g).to(kind) for _ in "kv"))
        ids = torch.randperm(case.batch * blocks, generator=g).to(torch.int32)
        tables.append(ids.view(case.batch, blocks))

    in_order = torch.arange(case.batch * blocks, dtype=torch.int32).view(case.batch, blocks)

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
    calls = steps(case)
    return {
        peer: interleave({"paged": calls["paged"], peer: calls[peer]}, rounds=rounds)
        for peer in peers
    }


def run(rounds: int = 15, say: Say = lambda _: None) -> Report:
    """Every metric of the paged rung on this CPU, in about a minute."""
    from constraintlab.attention import paged
    from constraintlab.limits.machine import describe

    report = Report("paged", describe())
    why = paged.availability().reason
    if paged.availability().backend == paged.GATHER:
        for metric in ("paged_over_gather", "paged_over_contiguous_sdpa", "paged_bandwidth_share"):
            report.skip(metric, f"no kernel of ours runs here: {why}")
        return report
    case = Case()
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
    seen = interleave({name: calls[name] for name in (IN_ORDER, "paged", fastest)}, rounds=rounds)
    for metric, peer, why in (
        ("paged_in_order_over_shuffled", "paged", "what scattering the blocks costs"),
        ("paged_in_order_over_contiguous_sdpa", fastest, f"over {fastest}, as orderly as it"),
    ):
        ratio = median_of(seen.ratios(IN_ORDER, peer), "×")
        report.add(metric, ratio, f"{case}; the same kernel over blocks that lie in order; {why}")
    for suffix, other in (
        ("", case),
        ("_b1", replace(case, batch=1, length=16384)),
        ("_window", replace(case, window=512)),
        ("_d128_bf16", replace(case, dim=128, dtype="bfloat16")),
    ):
        say(f"bandwidth, {other} …")
        share = bandwidth_share(other, rounds)
        report.add(f"paged_bandwidth_share{suffix}", share, f"{other}; of reading, probed between")
    return report


def bandwidth_share(case: Case, rounds: int):
    """Bytes of keys and values a second ÷ bytes a second that the probe reads, round by round."""
    import torch

    from constraintlab.limits import cgroup
    from constraintlab.limits.probes.memory import read_size

    step = steps(case, peers=False)["paged"]
    stream = torch.zeros(read_size(cgroup.available_bytes()) // 4)
    seen = interleave({"paged": step, "read": stream.sum}, rounds=rounds)
    ours = [layers(case) * case.kv_bytes / s for s in seen.seconds["paged"]]
    theirs = [stream.nbytes / s for s in seen.seconds["read"]]
    return median_of([a / b for a, b in zip(ours, theirs, strict=True)], "×")
