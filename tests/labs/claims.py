"""Phrases that say what binds: read off a lab's prose, and off what its code tells.

`claimed` gives the resources that a text says bind, or bound. A sentence of a notebook's Markdown
that says so, or says where the constraint went, speaks of every machine alike: `unfounded` wants
each on a list, with why it holds anywhere or whose figure it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from constraintlab.limits.resource import Resource
from tests.labs import meta

WORDS = {
    "compute": Resource.COMPUTE, "arithmetic": Resource.COMPUTE, "bandwidth": Resource.BANDWIDTH,
    "memory traffic": Resource.BANDWIDTH, "fresh pages": Resource.PAGES, "pages": Resource.PAGES,
    "KV capacity": Resource.KV_CAPACITY, "KV pool": Resource.KV_CAPACITY, "slots": Resource.SLOTS,
    "slot": Resource.SLOTS, "host": Resource.HOST, "network": Resource.NETWORK,
    "client": Resource.CLIENT, "offered load": Resource.DEMAND, "demand": Resource.DEMAND,
}  # fmt: skip
ONE = rf"(?:{'|'.join(sorted(WORDS, key=len, reverse=True))})"
SOME = rf"{ONE}(?: and {ONE})?"

BINDS = [
    rf"\b({SOME}) (?:is what )?(?:binds?|bound)\b",
    rf"\b(?:Here|Perhaps): ({ONE})\b",
    rf"\bPerhaps ({ONE})\b",
    rf"\b(?:waits?|waited|waiting) (?:mostly )?for (?:the |its )?({SOME})\b",
    rf"\b(?:bound|limited) by (?:the )?({SOME})\b",
    rf"\b(?:that|it|this|what binds) (?:is|was) (?:soon )?(?:the )?({ONE})\b(?! (?:share|time))",
    rf"\bverdict (?:names|is) ({SOME})\b",
]
"""Of these the group is what binds."""

MOVES = [
    rf"\b[Ff]rom (?:the )?{ONE}\b.{{0,60}}\bto (?:the )?{ONE}\b",
    rf"\b{ONE} → {ONE}\b",
    rf"\b(?:into|back to|to) (?:the )?(?:{ONE})\b(?=[.,;:])",
    r"\bconstraint (?:has |had )?(?:leaves?|left|moved?s?|goes|went|stays?|stayed)\b",
    r"\b(?:waits?|waited) for its (?:matrices|weights)\b",
    rf"^From (?:the |its )?{ONE}\b",
    r"\bbottleneck\b",
    r"(?<!\b[Ww]hat )(?<!\bwhich resource )\b(?:binds?|bound)\b",
]
"""These say, without a name or with two, where it went, or that something binds."""


def plain(text: str) -> str:
    """Without marks of emphasis, and on one line."""
    return re.sub(r"\s+", " ", re.sub(r"[*_`]", "", text))


def claimed(text: str) -> set[Resource]:
    """The resources that a text says bind."""
    found = [m for p in BINDS for m in re.findall(p, plain(text))]
    return {WORDS[name] for group in found for name in re.findall(ONE, group)}


def sentences(markdown: str) -> Iterator[str]:
    """Those of a cell, without tables, code and headings' marks."""
    prose = re.sub(r"```.*?```", "", markdown, flags=re.S)
    for block in re.split(r"\n\s*\n|\n(?=[-#|])", prose):
        if not block.lstrip().startswith("|"):
            yield from re.split(r"(?<=[.?!:;])\s+", plain(block.lstrip("#- ")))


def assertive(sentence: str) -> bool:
    """Whether it says what binds, or where that went."""
    return bool(claimed(sentence)) or any(re.search(p, sentence) for p in MOVES)


def unfounded(notebook: dict, allowed: Mapping[str, str]) -> list[str]:
    """Sentences of the Markdown that say what binds and are on no list, and entries of the list
    that no sentence has. allowed: a part of the sentence → why it holds on any machine."""
    cells = [c for c in notebook["cells"] if c["cell_type"] == "markdown"]
    said = [s for c in cells for s in sentences(meta.source(c)) if assertive(s)]
    found = [f"says what binds on every machine: {s!r}" for s in said
             if not any(part in s for part in allowed)]  # fmt: skip
    stale = [part for part in allowed if not any(part in s for s in said)]
    return found + [f"allowed, and nowhere said: {part!r}" for part in stale]
