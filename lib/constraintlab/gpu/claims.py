"""The article's claims, each beside what was measured: from what is shipped, by code.

"The Constraint Never Disappears — It Migrates" says five things that can be tested, the first in
two parts; C6 is its advice. On the CPU the
labs' recordings hold what was measured; on a GPU the result of `make gpu` does. `python -m
constraintlab.gpu.claims README.md` writes the table between its two markers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from constraintlab.gpu import claims_cpu, claims_gpu
from constraintlab.gpu.finding import Finding
from constraintlab.gpu.result import NAME, load
from constraintlab.recordings import catalogue
from constraintlab.recordings.tape import Tape

SHIPPED = catalogue.ROOT / "data" / "gpu" / NAME
"""A result of `make gpu` that was looked at and is shipped; there need not be one."""

NO_RUN = "not measured: no GPU run yet"
BEGIN, END = "<!-- claims: made by `make claims` -->", "<!-- /claims -->"


@dataclass(frozen=True)
class Claim:
    """What the article says, and how each device's data answer it."""

    name: str
    says: str
    cpu: Callable[[dict[str, Tape]], Finding]
    gpu: Callable[[dict[str, dict]], Finding]


CLAIMS = (
    Claim("C1", "naive attention: busy 98% of the time, at a few percent of peak",
          claims_cpu.busy, claims_gpu.busy),
    Claim("C1", "with flash, batching and fused kernels utilisation falls to about 60%",
          claims_cpu.falls, claims_gpu.falls),
    Claim("C2", "then the KV cache binds", claims_cpu.kv, claims_gpu.kv),
    Claim("C3", "paging doubles throughput", claims_cpu.paging, claims_gpu.paging),
    Claim("C4", "then the delivery of tokens binds", claims_cpu.delivery, claims_gpu.delivery),
    Claim("C5", "then long answers make convoys: others wait behind them",
          claims_cpu.convoys, claims_gpu.convoys),
)  # fmt: skip


def shipped_tapes(folder: Path = catalogue.FOLDER) -> dict[str, Tape]:
    """Lab → its CPU recording."""
    found = [catalogue.find(name, folder) for name in catalogue.names(folder)]
    return {tape.head.lab: tape for tape in found if tape.head.device == "cpu"}


def shipped_gpu(path: Path = SHIPPED) -> dict | None:
    """The shipped result of a GPU, or None; ValueError for a dry run's."""
    return load(path) if path.exists() else None


def table(tapes: dict[str, Tape], gpu: dict | None) -> str:
    """The table in Markdown, with a line below it that names the machines."""
    rows = ["| the article | on a CPU | verdict | on a GPU | verdict |", "|---|---|---|---|---|"]
    for claim in CLAIMS:
        one = claim.cpu(tapes)
        other = Finding(NO_RUN, "—")
        if gpu is not None:
            other = claim.gpu({r["metric"]: r for r in gpu["results"]})
        cells = (f"**{claim.name}** {claim.says}", one.measured, one.verdict, other.measured,
                 other.verdict)  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*rows, "", _about(tapes, gpu)])


def _about(tapes: dict[str, Tape], gpu: dict | None) -> str:
    machines = sorted({tape.head.origin for tape in tapes.values()})
    cpu = f"CPU: the labs' recordings, {'; '.join(machines)}" if machines else "CPU: no recording"
    if gpu is None:
        return f"*{cpu}. GPU: `make gpu` has not run on one yet ([what is missing](docs/gpu.md)).*"
    machine = gpu["machine"]
    where = f"{machine['gpu']}, driver {machine.get('driver', 'unknown')}, {gpu['date'][:10]}"
    return f"*{cpu}. GPU: {where} (`make gpu`, [docs/gpu.md](docs/gpu.md)).*"


def written(text: str, made: str) -> str:
    """`text` with the table between its markers; ValueError where it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no place for the table: put {BEGIN} and {END} where it belongs")
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{after}"


def main(words: list[str]) -> int:
    """Print the table, or write it into each file that is named."""
    made = table(shipped_tapes(), shipped_gpu())
    if not words:
        print(made)
    for name in words:
        path = Path(name)
        path.write_text(written(path.read_text(encoding="utf-8"), made), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
