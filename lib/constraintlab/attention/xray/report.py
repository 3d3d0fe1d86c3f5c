"""`Xray`: what the compiler made of a kernel, for one GPU, as numbers, a table or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from constraintlab.attention.target import Target
from constraintlab.attention.xray.compile import ARCHS, capability, compiled
from constraintlab.attention.xray.errors import XrayError
from constraintlab.attention.xray.job import Job, Reading
from constraintlab.attention.xray.occupancy import CHIPS, Chip, Occupancy, occupancy
from constraintlab.attention.xray.sass import Spill


@dataclass(frozen=True)
class SpillLine:
    """A line of source for which a thread moves `moved` bytes to and from memory, each move once.

    where: `fused_triton.py:84`, or `line 7 of its cell`. text: what stands there, if it is the
    kernel's own.
    """

    where: str
    text: str
    moved: int

    def __str__(self) -> str:
        return f"{self.where}, {self.moved:,} B moved" + (f": {self.text}" if self.text else "")


@dataclass(frozen=True)
class Xray:
    """One kernel for one arch. All of it is read from the compiled binary, none of it estimated.

    registers: of a thread (255 at most). spill_bytes: a thread's stack, where registers that
    don't fit go. spill_lines: for which lines, the most first. shared: dynamic bytes of a
    program, of `shared_limit`. columns: of tensor memory, a program's, of `columns_limit` (0
    before Blackwell). instructions: by kind, as they stand in the code (a loop's body once).
    warnings: ptxas's own. `fits` is False, with a reason, for a kernel that compiles but that no
    launch could run.
    """

    arch: str
    registers: int
    spill_bytes: int
    shared: int
    shared_limit: int
    warps: int
    occupancy: Occupancy
    matrix: str
    instructions: Mapping[str, int]
    total: int
    sass: str = field(repr=False)
    notes: Mapping[str, str] = field(default_factory=dict)
    columns: int = 0
    columns_limit: int = 0
    spill_lines: tuple[SpillLine, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        return self.shared <= self.shared_limit and self.columns <= self.columns_limit

    @property
    def reason(self) -> str:
        """Why it can't be launched, or nothing."""
        if self.shared > self.shared_limit:
            of = f"{self.shared / 1024:.0f} of {self.shared_limit / 1024:.0f} KiB"
            return f"asks for {of} of shared memory"
        if self.columns > self.columns_limit:
            return f"asks for {self.columns} of {self.columns_limit} columns of tensor memory"
        return ""

    def as_dict(self) -> dict:
        """Plain data for JSON, without the code itself."""
        o = self.occupancy
        return {
            "arch": self.arch, "registers": self.registers, "spill_bytes": self.spill_bytes,
            "spill_stores": self.instructions["spill store"],
            "spill_loads": self.instructions["spill load"],
            "spill_lines": [asdict(line) for line in self.spill_lines],
            "shared_bytes": self.shared, "shared_limit_bytes": self.shared_limit,
            "tensor_columns": self.columns, "tensor_columns_limit": self.columns_limit,
            "warps": self.warps, "fits": self.fits, "reason": self.reason,
            "occupancy": {"programs": o.blocks, "warps": o.warps, "share": o.share,
                          "limited_by": o.limited_by},
            "matrix": self.matrix, "instructions": dict(self.instructions), "total": self.total,
            "warnings": list(self.warnings), "notes": dict(self.notes),
        }  # fmt: skip


def xray(target: Target, arch: str) -> Xray:
    """Compile `target` for `arch` and read the machine code. XrayError says why it can't."""
    return xrays([(target, arch)])[0]


def xrays(wanted: Sequence[tuple[Target, str]]) -> list[Xray]:
    """An x-ray of each target for each arch, compiled side by side. XrayError as in `xray`."""
    chips = [chip_of(arch) for _, arch in wanted]
    jobs = [Job.of(target, capability(arch)) for target, arch in wanted]
    return [
        _seen(job, target.notes, arch, chip, reading)
        for job, (target, arch), chip, reading in zip(
            jobs, wanted, chips, compiled(jobs), strict=True
        )
    ]


def chip_of(arch: str) -> Chip:
    """The limits of `arch`; XrayError names those that are known."""
    chip = CHIPS.get(capability(arch))
    if chip is None:
        known = ", ".join(f"sm_{cc}" for cc in CHIPS)
        raise XrayError(f"the limits of {arch} are not known here: use one of {known}")
    return chip


def _seen(job: Job, notes: Mapping[str, str], arch: str, chip: Chip, reading: Reading) -> Xray:
    code, columns = reading.code, reading.columns
    return Xray(
        arch=arch,
        registers=code.registers,
        spill_bytes=code.stack,
        shared=reading.shared,
        shared_limit=chip.shared_per_block,
        warps=reading.warps,
        occupancy=occupancy(chip, code.registers, reading.shared, reading.warps, columns),
        matrix=code.matrix,
        instructions=code.counts,
        total=code.total,
        sass=code.text,
        notes=notes,
        columns=columns,
        columns_limit=chip.columns,
        spill_lines=tuple(_line(job, spill) for spill in code.spills),
        warnings=reading.warnings,
    )


def _line(job: Job, spill: Spill) -> SpillLine:
    text = job.text(spill.file, spill.line)
    cell = text and not Path(job.sources[0].file).is_file()
    where = f"line {spill.line} of its cell" if cell else f"{spill.file}:{spill.line}"
    return SpillLine(where, text, spill.moved)


def sweep(
    make: Callable[[int], Target], values: Iterable[int], archs: Sequence[str] = ARCHS
) -> list[tuple[int, Xray]]:
    """[(value, x-ray)] of `make(value)` for each value and arch."""
    made = [(n, make(n), arch) for n in values for arch in archs]
    seen = xrays([(target, arch) for _, target, arch in made])
    return [(n, x) for (n, _, _), x in zip(made, seen, strict=True)]


HEADINGS = (
    "arch", "registers", "spilled", "shared memory", "fits", "occupancy", "limited by",
    "matrix instructions", "exp2", "async copies",
)  # fmt: skip


def row(x: Xray) -> tuple[str, ...]:
    """One x-ray under `HEADINGS`."""
    o, n = x.occupancy, x.instructions
    return (
        x.arch, str(x.registers), f"{x.spill_bytes} B" if x.spill_bytes else "none",
        f"{x.shared / 1024:.0f} of {x.shared_limit / 1024:.0f} KiB", "yes" if x.fits else "no",
        f"{o.share:.0%}", o.limited_by, x.matrix, str(n["exp2"]), str(n["async copy"]),
    )  # fmt: skip


def remarks(x: Xray, lines: int = 3) -> list[str]:
    """What a table has no room for: why it can't run, where it spills, what ptxas warned of."""
    said = [] if x.fits else [f"no launch could run it, it {x.reason}"]
    said += [f"spills at {line}" for line in x.spill_lines[:lines]]
    left = x.spill_lines[lines:]
    if left:
        more = "line" if len(left) == 1 else "lines"
        said.append(f"and at {len(left)} more {more}, {sum(s.moved for s in left):,} B moved")
    return [f"{x.arch}: {line}" for line in [*said, *x.warnings]]
