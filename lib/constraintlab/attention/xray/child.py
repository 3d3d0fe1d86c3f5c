"""Compiles and reads jobs in a process of its own: `python -m ….xray.child DIR I…`.

Of its own because an error in MLIR or LLVM may end the process, which would take a notebook's
variables along; and because TRITON_INTERPRET, once set, turns triton.language into Python.
"""

from __future__ import annotations

import ast
import importlib
import json
import linecache
import os
import pickle
import re
import sys
import textwrap
from pathlib import Path

from constraintlab.attention.xray.errors import cause
from constraintlab.attention.xray.job import Job, Reading
from constraintlab.attention.xray.parcel import Source
from constraintlab.attention.xray.sass import disassembled


def unpack(sources: list[Source]):
    """The kernel that was packed, as a function that Triton compiles."""
    import triton

    made: list = []
    for s in sources:
        text = textwrap.dedent(s.text)
        # Triton reads sources through linecache, which needs the lines in their places.
        old = linecache.cache.get(s.file, (0, None, [], s.file))[2]
        lines = old + ["\n"] * (s.line - 1 + text.count("\n") - len(old))
        lines[s.line - 1 : s.line - 1 + text.count("\n")] = text.splitlines(keepends=True)
        linecache.cache[s.file] = (sum(map(len, lines)), None, lines, s.file)
        tree = ast.parse("\n" * (s.line - 1) + text)
        tree.body[0].decorator_list.clear()
        space = {"__name__": "kernel"}
        exec(compile(tree, s.file, "exec"), space)
        made.append(triton.jit(space[s.name], noinline=s.noinline))
    for s, kernel in zip(sources, made, strict=True):
        kernel.__globals__.update({name: _value(m, made) for name, m in s.names.items()})
    return made[0]


def _value(meaning: tuple, made: list) -> object:
    kind, what, *more = meaning
    if kind == "module":
        return importlib.import_module(what)
    if kind == "from":
        return getattr(importlib.import_module(what), more[0])
    return made[what] if kind == "function" else pickle.loads(what)


def read(job: Job, log: Path) -> Reading:
    """Compile one job and read what came of it; whatever Triton raises goes up."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    source = ASTSource(unpack(job.sources), job.signature, job.constexprs, job.attrs)
    target = GPUTarget("cuda", job.capability, 32)
    options = {"num_warps": job.warps, "num_stages": job.stages}
    done = triton.compile(source, target=target, options=options)
    meta = done.metadata
    columns = getattr(meta, "tmem_size", None) or 0
    return Reading(
        meta.shared, columns, meta.num_warps, warnings(_said(log)), disassembled(done.asm["cubin"])
    )


def warnings(log: str) -> tuple[str, ...]:
    """What ptxas has a number for, e.g. `(C7515) Potential Performance Loss: …`."""
    lines = (line for line in log.splitlines() if line.startswith("ptxas"))
    return tuple(dict.fromkeys(m[0] for line in lines if (m := re.search(r"\(C\d+\).*", line))))


def lost(sources: list[Source], said: str) -> str:
    """A word on a name that is unknown here only because its value could not travel."""
    return "".join(
        f"; {name} is a {kind}, which a kernel can't use: make it an argument or a tl.constexpr"
        for s in sources
        for name, kind in s.lost.items()
        if f"{name} is not defined" in said
    )


def _said(log: Path) -> str:
    sys.stdout.flush()
    return log.read_text(errors="replace")


def main(folder: Path, numbers: list[int]) -> None:
    """Each job's outcome as a file, so that those before an abort are kept."""
    jobs: list[Job] = pickle.loads((folder / "jobs").read_bytes())
    for i in numbers:
        log = folder / f"{i}.log"
        with log.open("wb") as file:
            for stream in (1, 2):
                os.dup2(file.fileno(), stream)
        try:
            outcome = {"reading": read(jobs[i], log).as_dict()}
        except Exception as error:  # Triton raises whatever its passes, its reader or ptxas say
            said = cause(error, _said(log))
            outcome = {"failed": said + lost(jobs[i].sources, said)}
        unfinished = folder / f"{i}.part"
        unfinished.write_text(json.dumps(outcome), encoding="utf-8")
        unfinished.rename(folder / f"{i}.done")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(i) for i in sys.argv[2:]])
