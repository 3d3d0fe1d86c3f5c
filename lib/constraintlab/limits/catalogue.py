"""The fixes that the course tells of, each with the size that it is known for.

Give your own figures where you have them: a waste that you measured, an event that you tapped. The
names are those of the parts of the stacks in this project: kernels of the attention rungs and of
the engine, stages of the engine's loop and of the front end, the link.
"""

from __future__ import annotations

from collections.abc import Mapping

from constraintlab.limits.changes import Capacity, Counted, Demand, Pieces, Processes
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.fixes import Fix
from constraintlab.limits.resource import Resource
from constraintlab.limits.sizes import size
from constraintlab.limits.speculation import Speculation
from constraintlab.limits.stack import Stack

SQUARE = ("q·kᵀ", "scale", "mask", "softmax", "·v")
"""Kernels of textbook attention, which read and write S×S matrices."""

CACHE = ("attention", "attention of prompts", "paged decode")
"""Kernels that read keys and values from the pool."""

EVENT = ("frame", "write")
"""Stages of the front end that are paid for an event, however many tokens it has."""

WASTE = size(0.7, 0.6, 0.8, "recorded: 60 to 80% of KV memory wasted, vLLM's blog, 2023-06-20")
TRAFFIC = size(4.4 / 40.3, 0.05, 0.15, "recorded: 40.3 → 4.4 GB, arXiv 2205.14135, figure 2")
FRAME = size(250 / 6, 200 / 6, 340 / 6, "counted: 200 to 340 bytes of SSE and JSON for 6 of text")
ACCEPTED = size(0.7, 0.5, 0.9, "recorded: drafts 100 times smaller, Leviathan et al. 2023, 3.3")
DRAFT = size(0.02, 0.0, 0.05, "recorded: below 0.05, Leviathan et al. 2023, 3.3")


def more(resource: Resource, times: float | Estimate, name: str = "") -> Fix:
    """So many times of one capacity, in whatever unit it has: slots, KV tokens, bytes/s."""
    by = times if isinstance(times, Estimate) else size(times)
    return Fix(name or f"{by.value:g} × {resource.label}", (Capacity(resource, by),))


def counted(name: str, stack: Stack, costs: str = "") -> Fix:
    """Code that is there and whose demands were counted: nothing about its size is guessed."""
    return Fix(name, (Counted(stack),), costs=costs)


def fused(residue: Estimate = TRAFFIC) -> Fix:
    """Score rows kept on chip: no S×S matrix in memory. residue: traffic that is left, of all."""
    return _on_chip(
        "fused attention", residue,
        when="whole rows of scores fit on chip: about 1,024 keys on an A100",
        costs="on-chip space bounds the prompt's length",
    )  # fmt: skip


def flash(residue: Estimate = TRAFFIC) -> Fix:
    """Tiles and an online softmax: the same traffic as fused, at any length."""
    return _on_chip(
        "flash attention", residue,
        when="attention is computed over whole score matrices now",
        costs="a rescaling of the output for each tile: some FLOPs more",
    )  # fmt: skip


def _on_chip(name: str, residue: Estimate, when: str, costs: str) -> Fix:
    """That much is left of the score matrices' traffic, and of the pages they take."""
    left = (Demand("bytes", SQUARE, residue), Demand("fresh", SQUARE, residue))
    return Fix(name, left, when=when, costs=costs)


def paged(waste: Estimate = WASTE, left: float = 0.04) -> Fix:
    """Block tables. waste: share of the reserved KV that holds nothing now; left: afterwards."""
    low, value, high = ((1 - left) / (1 - w) for w in (waste.low, waste.value, waste.high))
    return Fix(
        "paged KV",
        (Capacity(Resource.KV_CAPACITY, Estimate(value, low, high, "×", waste.source)),),
        when="the store reserves a contiguous stretch for each request",
        costs="a look into the table for each block; preemption where a pool runs dry",
    )


def low_bit_kv(dtype: str = "fp8", bits: float = 8, now: float = 16, scales: float = 0.03) -> Fix:
    """Keys and values in fewer bits. scales: of their bytes, at most, that scales take on top."""
    least, most = bits / now, bits / now * (1 + scales)
    room = size(1 / least, 1 / most, 1 / least, "modelled: bits, and at most 3% for scales")
    return Fix(
        f"{dtype} KV",
        (
            Capacity(Resource.KV_CAPACITY, room),
            Demand("bytes", CACHE, size(least, least, most, room.source), part="each"),
        ),
        when="the kernel converts as it reads; vLLM's docs: else it is room alone",
        costs="accuracy, to be checked; calibration of scales",
    )


def batch_cap(times: float) -> Fix:
    """So many times the slots: below 1 it takes throughput, for shorter gaps between tokens."""
    return Fix(
        f"{times:g} × the slots",
        (Capacity(Resource.SLOTS, size(times)),),
        costs="longer steps: each token waits for more others",
    )


def chunked_prefill(pieces: float = 4) -> Fix:
    """Prompts in so many pieces, beside decodes whose weights are read anyway."""
    return Fix(
        "chunked prefill",
        (Pieces(size(pieces)),),
        when="prompts are longer than a step's budget of tokens",
        costs="the prompt's own first token comes later, and each piece reads the keys before it",
    )


def stream_interval(k: int = 8, frame: Estimate = FRAME) -> Fix:
    """k tokens an event. frame: bytes of an event that are no text ÷ those of a token's text."""
    low, value, high = ((f / k + 1) / (f + 1) for f in (frame.high, frame.value, frame.low))
    link = Estimate(value, min(low, value), max(value, high), "×", frame.source)
    least = 1 / k
    stages = size(least, least, min(1.0, 2 * least), "modelled: an event's cost, and its text's")
    return Fix(
        f"{k} tokens an event",
        (Demand("bytes", ("link",), link), Demand("seconds", EVENT, stages, part="each")),
        costs=f"readers wait for {k} tokens at a time",
    )


def front_ends(processes: float = 2) -> Fix:
    """So many times the front end's processes: time is shared out, core-seconds are not saved."""
    return Fix(
        f"{processes:g} × the front ends",
        (Processes("front end", size(processes)),),
        when="there are cores left for them",
        costs="memory, and a router before them",
    )


def wider_link(times: float = 2) -> Fix:
    """So many times the link's bytes/s."""
    return more(Resource.NETWORK, times, f"{times:g} × the link")


def speculative(k: int = 4, acceptance: Estimate = ACCEPTED, cost: Estimate = DRAFT) -> Fix:
    """Draft k tokens, verify them at once: see `speculation.py`. It can hurt."""
    return Fix(
        f"speculative decoding, k = {k}",
        (Speculation(k, acceptance, cost),),
        when="the draft model shares the target's tokens and its device",
        costs="the draft's weights and KV take memory; work on rejected tokens is lost",
    )


CATALOGUE: Mapping[str, Fix] = {
    "fused": fused(),
    "flash": flash(),
    "paged": paged(),
    "fp8_kv": low_bit_kv("fp8"),
    "int8_kv": low_bit_kv("int8"),
    "batch_cap": batch_cap(2),
    "chunked_prefill": chunked_prefill(),
    "stream_interval": stream_interval(),
    "front_ends": front_ends(),
    "link": wider_link(),
    "speculative": speculative(),
}
"""Each at its default size."""
