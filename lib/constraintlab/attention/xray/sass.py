"""Machine code, read: registers, stack, and how many instructions of which kind a kernel has."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from constraintlab.attention.xray.compile import XrayError

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
USAGE = re.compile(r"REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)")


@dataclass(frozen=True)
class Code:
    """What a kernel's machine code uses, per thread: registers, and bytes of stack (spills)."""

    registers: int
    stack: int
    counts: Mapping[str, int]
    opcodes: Mapping[str, int]
    text: str

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
    """Read a cubin with `cuobjdump`. XrayError when the tool is missing or fails."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(cubin)
        return parsed(_ask("-res-usage", path), _ask("-sass", path))


def _ask(question: str, path: Path) -> str:
    try:
        # It calls nvdisasm, which lies beside it.
        done = subprocess.run(
            [tool("cuobjdump"), question, str(path)], capture_output=True, text=True, timeout=60
        )
    except OSError as error:
        raise XrayError(f"cuobjdump can't run here: {error}") from error
    if done.returncode:
        raise XrayError(f"cuobjdump {question} failed: {done.stderr.strip()[-300:]}")
    return done.stdout


def parsed(usage: str, sass: str) -> Code:
    """What the two listings say. XrayError when they are not what cuobjdump writes."""
    used = USAGE.search(usage)
    found = [m[1] for line in sass.splitlines() if (m := INSTRUCTION.match(line))]
    if not used or not found:
        raise XrayError("cuobjdump's listing has no kernel in it: is the file a cubin?")
    counts = {
        kind: sum(bool(re.match(rf"(?:{pattern})(?:\.|$)", i)) for i in found)
        for kind, pattern in CLASSES.items()
    }
    opcodes = Counter(i.split(".")[0] for i in found)
    text = "\n".join(
        re.sub(r"\s*/\* 0x[0-9a-f]+ \*/\s*$", "", line)
        for line in sass.splitlines()
        if INSTRUCTION.match(line)
    )
    return Code(int(used[1]), int(used[2]), counts, dict(opcodes.most_common()), text)
