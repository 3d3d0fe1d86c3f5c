"""Machine code, read: registers, stack, and how many instructions of which kind a kernel has."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from constraintlab.attention.xray.errors import XrayError

CLASSES: Mapping[str, str] = {
    "matrix": r"HMMA|IMMA|DMMA|[HQI]GMMA|UTC\w*MMA",
    "exp2": r"MUFU\.EX2",
    "async copy": r"LDGSTS|UTMALDG|UBLKCP",
    "global load": r"LDG",
    "global store": r"STG|UTMASTG",
    "shared load": r"LDS|LDSM",
    "shared store": r"STS|STSM",
    "spill load": r"LDL",
    "spill store": r"STL",
    "barrier": r"BAR|SYNCS",
}
"""Kind of instruction → opcodes. Matrix: HMMA is a warp's, HGMMA Hopper's warp group's,
UTCHMMA Blackwell's in tensor memory (cuda-binary-utilities, instruction set reference)."""

INSTRUCTION = re.compile(r"^\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_]*(?:\.\w+)*)")
LINE = re.compile(r'^\s*//## File "(?P<file>[^"]+)", line (?P<line>\d+)')
SPILL = re.compile(rf"(?:{CLASSES['spill load']}|{CLASSES['spill store']})(?:\.|$)")
USAGE = re.compile(r"REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)")


@dataclass(frozen=True)
class Spill:
    """Bytes that a thread moves to and from its stack for one line of source, each move once."""

    file: str
    line: int
    moved: int


@dataclass(frozen=True)
class Code:
    """What a kernel's machine code uses, per thread: registers, and bytes of stack (spills).

    spills: by line of the source, the most first.
    """

    registers: int
    stack: int
    counts: Mapping[str, int]
    opcodes: Mapping[str, int]
    text: str
    spills: tuple[Spill, ...] = ()

    @property
    def total(self) -> int:
        """Instructions, counted as they stand: a loop's body once."""
        return sum(self.opcodes.values())

    @property
    def matrix(self) -> str:
        """The matrix instructions by name, e.g. `HGMMA 16`."""
        kinds = re.compile(rf"(?:{CLASSES['matrix']})$")
        return ", ".join(f"{o} {n}" for o, n in self.opcodes.items() if kinds.match(o)) or "none"


def tool(name: str) -> str:
    """The path of a CUDA tool that Triton ships. XrayError where it ships none."""
    from triton import knobs

    try:
        return str(getattr(knobs.nvidia, name).path)
    except Exception as error:  # a RuntimeError today; whatever it is, the tool is not to be had
        raise XrayError(
            f"Triton's {name} is not here or can't run ({error}): it comes with Triton for Linux "
            f"on x86-64; elsewhere put one on TRITON_{name.upper()}_PATH"
        ) from error


def disassembled(cubin: bytes) -> Code:
    """Read a cubin with `cuobjdump` and `nvdisasm`. XrayError when one is missing or fails."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(cubin)
        # -c: code alone; -g: the source line of each instruction.
        return parsed(_ask("cuobjdump", "-res-usage", path), _ask("nvdisasm", "-c", "-g", path))


def _ask(name: str, *words: str | Path) -> str:
    try:
        done = subprocess.run([tool(name), *words], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise XrayError(f"{name} can't run here: {error}") from error
    if done.returncode:
        raise XrayError(f"{name} {words[0]} failed: {done.stderr.strip()[-300:]}")
    return done.stdout


def parsed(usage: str, listing: str) -> Code:
    """What the two listings say. XrayError when they are not what NVIDIA's tools write."""
    used, found, kept = USAGE.search(usage), [], []
    moved: Counter[tuple[str, int]] = Counter()
    at = ("", 0)
    for line in listing.splitlines():
        if where := LINE.match(line):
            at = (Path(where["file"]).name, int(where["line"]))
            kept.append(f"// {at[0]}:{at[1]}")
        elif instruction := INSTRUCTION.match(line):
            found.append(instruction[1])
            kept.append(line.rstrip())
            if SPILL.match(found[-1]):
                moved[at] += width(found[-1])
    if not used or not found:
        raise XrayError("the listing has no kernel in it: is the file a cubin?")
    counts = {
        kind: sum(bool(re.match(rf"(?:{pattern})(?:\.|$)", i)) for i in found)
        for kind, pattern in CLASSES.items()
    }
    opcodes = dict(Counter(i.split(".")[0] for i in found).most_common())
    spills = tuple(Spill(*at, n) for at, n in moved.most_common())
    return Code(int(used[1]), int(used[2]), counts, opcodes, "\n".join(kept), spills)


def width(opcode: str) -> int:
    """Bytes that a load or store moves for a thread: 4 unless its name says otherwise."""
    sizes = {"128": 16, "64": 8, "U16": 2, "S16": 2, "U8": 1, "S8": 1}
    return next((sizes[part] for part in opcode.split(".")[1:] if part in sizes), 4)
