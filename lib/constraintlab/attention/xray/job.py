"""What goes to the process that compiles, and what comes back."""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from constraintlab.attention.target import Target
from constraintlab.attention.xray import sass
from constraintlab.attention.xray.errors import XrayError
from constraintlab.attention.xray.parcel import Source, pack, python_function

COMPILER = ("TRITON_", "PTXAS_", "DISABLE_PTXAS_", "LLVM_", "MLIR_")
"""Beginnings of the environment variables that can change what a compiler makes."""


@dataclass(frozen=True)
class Job:
    """One specialisation for one compute capability; `attrs` as Triton's ASTSource has them."""

    sources: list[Source]
    signature: Mapping[str, str]
    constexprs: Mapping[str, object]
    attrs: Mapping
    warps: int
    stages: int
    capability: int

    @classmethod
    def of(cls, target: Target, capability: int) -> Job:
        """Raises XrayError for what is no kernel, and for arguments without type or value."""
        sources = pack(target.kernel)
        code = python_function(target.kernel).__code__
        names = code.co_varnames[: code.co_argcount]
        unknown = [n for n in names if n not in target.signature and n not in target.constexprs]
        if unknown:
            raise XrayError(f"the target gives no type or value for {', '.join(unknown)}: add them")
        return cls(
            sources,
            {n: target.signature.get(n, "constexpr") for n in names},
            {n: v for n, v in target.constexprs.items() if n in names},
            {(names.index(n),): [["tt.divisibility", 16]] for n in target.divisible},
            target.warps,
            target.stages,
            capability,
        )

    def text(self, file: str, line: int) -> str:
        """The source at a line of one of the kernel's functions, nothing for any other place."""
        for s in self.sources:
            lines = s.text.splitlines()
            if Path(s.file).name == file and 0 <= line - s.line < len(lines):
                return lines[line - s.line].strip()
        return ""

    @property
    def key(self) -> str | None:
        """Equal for jobs that give equal readings; None where code elsewhere may change them."""
        modules = {m[1].split(".")[0] for s in self.sources for m in s.names.values()
                   if m[0] == "module"}  # fmt: skip
        if modules - {"triton"} - sys.stdlib_module_names:
            return None
        settings = sorted((k, v) for k, v in os.environ.items() if k.startswith(COMPILER))
        reader = Path(sass.__file__).read_bytes()
        whole = pickle.dumps((self, version("triton"), settings, reader))
        return hashlib.sha256(whole).hexdigest()[:32]


@dataclass(frozen=True)
class Reading:
    """A compiled kernel: what a launch asks for, what ptxas warned of, and its machine code.

    shared: dynamic bytes of shared memory, columns: of tensor memory, of a program.
    """

    shared: int
    columns: int
    warps: int
    warnings: tuple[str, ...]
    code: sass.Code

    def as_dict(self) -> dict:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping) -> Reading:
        """Back from `as_dict`, also by way of JSON."""
        spills = tuple(sass.Spill(**s) for s in data["code"]["spills"])
        code = sass.Code(**{**data["code"], "spills": spills})
        return cls(**{**data, "warnings": tuple(data["warnings"]), "code": code})
