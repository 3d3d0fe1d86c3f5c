"""A machine in twenty letters and digits, to be sent to an instructor and read back.

Base 32 in Crockford's alphabet, which has no I, L, O and U; the last sixteen bits are a CRC, so
that a letter mistaken or two swapped are noticed. There is no name, path or serial number in it.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Iterable

from constraintlab.course.looks import Check
from constraintlab.course.tier import GPUS, TIERS, Facts

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MISREAD = str.maketrans("ILO", "110", "- \t")
FORMAT, LENGTH, CHECK = 1, 20, 16

ISAS = ("other", "DEFAULT", "AVX2", "AVX512", "SVE256", "NO AVX")
SYSTEMS = ("other", "Linux", "Darwin", "Windows")
LOOKED = (
    "Python", "torch", "cores", "memory", "GPU", "Triton", "ipykernel", "home", "disk", "ceilings",
)  # fmt: skip
"""What the doctor looks at, a bit each; `ceilings` stands for all that are probed."""

FIELDS = {
    "format": 2, "tier": 2, "cores": 8, "memory": 10, "available": 7, "isa": 3, "gpu": 2,
    "gpu_memory": 8, "os": 2, "python": 4, "torch_major": 2, "torch_minor": 6, "problems": 10,
    "notes": 10, "package_major": 3, "package_minor": 5,
}  # fmt: skip
"""Bits of each, in this order. A number that does not fit is as large as can be."""


def code(facts: Facts, found: Iterable[Check]) -> str:
    """Twenty characters in groups of five. found: what the doctor said."""
    found = list(found)
    values = {
        "format": FORMAT, "tier": TIERS.index(facts.tier), "cores": round(2 * facts.cores),
        "memory": round(facts.memory), "available": round(2 * facts.available),
        "isa": _index(ISAS, facts.isa), "gpu": GPUS.index(facts.gpu),
        "gpu_memory": round(facts.gpu_memory), "os": _index(SYSTEMS, facts.os),
        "python": max(0, facts.python[1] - 10), "torch_major": facts.torch[0],
        "torch_minor": facts.torch[1], "problems": _mask(found, "problem"),
        "notes": _mask(found, "note"), "package_major": facts.package[0],
        "package_minor": facts.package[1],
    }  # fmt: skip
    bits = 0
    for name, width in FIELDS.items():
        bits = bits << width | min(values[name], 2**width - 1)
    bits = bits << CHECK | _crc(bits)
    letters = [ALPHABET[bits >> 5 * i & 31] for i in reversed(range(LENGTH))]
    return "-".join("".join(letters[i : i + 5]) for i in range(0, LENGTH, 5))


def read(text: str) -> tuple[Facts, list[Check]]:
    """The facts, and a check for each line of the doctor that was not in order. ValueError that
    says what is wrong with the code."""
    letters = text.upper().translate(MISREAD)
    if len(letters) != LENGTH:
        raise ValueError(f"{text!r} has {len(letters)} letters and digits, a code has {LENGTH}")
    bits = 0
    for letter in letters:
        if letter not in ALPHABET:
            raise ValueError(f"{letter!r} is in no code")
        bits = bits << 5 | ALPHABET.index(letter)
    bits, crc = bits >> CHECK, bits & 2**CHECK - 1
    if crc != _crc(bits):
        raise ValueError(f"{text!r} was mistyped: its letters don't fit together")
    v = {}
    for name, width in reversed(FIELDS.items()):
        bits, v[name] = bits >> width, bits & 2**width - 1
    if v["format"] != FORMAT:
        raise ValueError(f"this code is of format {v['format']}, and {FORMAT} can be read")
    try:
        facts = Facts(
            v["cores"] / 2, v["memory"], v["available"] / 2, ISAS[v["isa"]], GPUS[v["gpu"]],
            v["gpu_memory"], SYSTEMS[v["os"]], (3, 10 + v["python"]),
            (v["torch_major"], v["torch_minor"]), (v["package_major"], v["package_minor"]),
        )  # fmt: skip
    except IndexError:
        raise ValueError(f"{text!r} is no code of a machine") from None
    return facts, [
        Check(name, f"{state}: `constraintlab doctor` says there what it is", state)
        for state, mask in (("problem", v["problems"]), ("note", v["notes"]))
        for i, name in enumerate(LOOKED)
        if mask >> i & 1
    ]


def _mask(found: Iterable[Check], state: str) -> int:
    """Lines that are none of LOOKED are of the probed ceilings."""
    names = {c.what if c.what in LOOKED else "ceilings" for c in found if c.state == state}
    return sum(1 << LOOKED.index(name) for name in names)


def _index(known: tuple[str, ...], what: str) -> int:
    return known.index(what) if what in known else 0


def _crc(bits: int) -> int:
    return crc_hqx(bits.to_bytes((sum(FIELDS.values()) + 7) // 8, "big"), 0xFFFF)
