"""KV maps on their way to the page: titles and figures in words, owners and fillings as bytes."""

from __future__ import annotations

from collections.abc import Sequence

from constraintlab.panel.kvmap import KVMap
from constraintlab.panel.numbers import percent
from constraintlab.panel.palette import kind

Packed = tuple[dict, list[bytes]]


def pack(maps: Sequence[KVMap]) -> Packed:
    """(head, buffers): owners (uint16) and filled (uint8) of each map; an empty head for none."""
    if not maps:
        return {}, []
    found, shows = title(maps)
    head = {
        "finding": found,
        "shows": shows,
        "facts": [_fact(m) for m in maps],
        "pools": [pool(m) for m in maps],
        "sources": sources(maps),
    }
    return head, [raw for m in maps for raw in (m.owners.tobytes(), m.filled.tobytes())]


def pool(m: KVMap) -> dict:
    """A pool's name and figures, as written over its map."""
    return {
        "name": m.name,
        "size": m.block_size,
        "shared": bool(m.shared),
        "holds": f"{_requests(m)}{f', {m.shared:,} blocks shared' if m.shared else ''}",
        "figures": [[what, percent(share)] for what, share in m.shares.items()],
    }


def title(maps: Sequence[KVMap]) -> tuple[str, str]:
    """(finding, what the map shows)."""
    first, *others = maps
    told = [f"{first.name}: {_told(first, ' of the room they reserve is empty')}"]
    told += [f"{m.name}: {_told(m, '' if first.free < first.blocks else ' empty')}" for m in others]
    sizes = list(dict.fromkeys(f"{m.blocks:,} blocks of {m.block_size} tokens" for m in maps))
    each = " each" if len(sizes) == 1 < len(maps) else ""
    return "; ".join(told), " and ".join(sizes) + each


def _told(m: KVMap, end: str) -> str:
    if m.free == m.blocks:
        return "nothing is reserved"
    if m.requests == 1 and "they" in end:
        end = " of the room it reserves is empty"
    return f"{_requests(m)}, {percent(m.empty)}{end}"


def _requests(m: KVMap) -> str:
    return f"{m.requests} request{'' if m.requests == 1 else 's'}"


def _fact(m: KVMap) -> str:
    told = ", ".join(f"{what} {percent(share)}" for what, share in m.shares.items())
    return f"{m.name}, {pool(m)['holds']}: {told} of the pool"


def sources(maps: Sequence[KVMap]) -> list[dict]:
    """Where the maps come from, by kind."""
    held: dict[str, list[str]] = {}
    for m in maps:
        held.setdefault(kind(m.source), []).append(m.name)
    return [{"kind": k, "what": ", ".join(names)} for k, names in held.items()]
