"""Compile one specialisation of a Triton kernel for a GPU that need not be here."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass

from constraintlab.attention.target import Target

ARCHS = ("sm_80", "sm_90", "sm_100")
"""A100, H100 and B200: what the x-ray compiles for unless asked otherwise."""


class XrayError(RuntimeError):
    """The kernel can't be compiled or read here; the message names the cause and the fix."""


@dataclass(frozen=True)
class Binary:
    """A compiled kernel: machine code, and the dynamic shared memory that a launch asks for."""

    arch: str
    cubin: bytes
    shared: int
    warps: int


def capability(arch: str) -> int:
    """`sm_90` → 90. XrayError for anything else than `sm_` and a number from 80 on."""
    found = re.fullmatch(r"sm_(\d{2,3})", arch)
    if not found or int(found[1]) < 80:
        raise XrayError(f"arch {arch!r} is unknown: use one of {', '.join(ARCHS)}")
    return int(found[1])


def compiled(target: Target, arch: str) -> Binary:
    """`target` compiled for `arch`, about a second the first time; Triton caches it by source.

    Raises XrayError with Triton's or ptxas's own words when the kernel doesn't compile.
    """
    cc = capability(arch)
    try:
        import triton
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource
        from triton.runtime.jit import JITFunction
    except ImportError as error:
        raise XrayError(
            f"the x-ray needs Triton, which is not here ({error}): use Linux on x86-64, "
            "where `pip install triton` brings it"
        ) from error
    kernel = target.kernel
    if not isinstance(kernel, JITFunction):
        raise XrayError(
            "the kernel was loaded for Triton's interpreter, which compiles nothing: start again "
            "without TRITON_INTERPRET in the environment"
        )
    names = kernel.arg_names
    unknown = [n for n in names if n not in target.signature and n not in target.constexprs]
    if unknown:
        raise XrayError(f"the target gives no type or value for {', '.join(unknown)}: add them")
    source = ASTSource(
        fn=kernel,
        signature={n: target.signature.get(n, "constexpr") for n in names},
        constexprs={(names.index(n),): v for n, v in target.constexprs.items() if n in names},
        attrs={(names.index(n),): [["tt.divisibility", 16]] for n in target.divisible},
    )
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # where Triton prints what ptxas refused
            made = triton.compile(
                source,
                target=GPUTarget("cuda", cc, 32),
                options={"num_warps": target.warps, "num_stages": target.stages},
            )
    except Exception as error:  # Triton raises whatever its passes, its AST reader or ptxas say
        raise XrayError(f"the kernel does not compile for {arch}: {cause(error)}") from error
    return Binary(arch, made.asm["cubin"], made.metadata.shared, made.metadata.num_warps)


def cause(error: BaseException) -> str:
    """The innermost reason in one readable piece: Triton wraps errors, ptxas adds its command."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    ptxas = [line for line in lines if re.match(r"ptxas (fatal|error)", line)]
    telling = [line for line in lines if re.search(r"error|must|not|expected", line, re.I)]
    return f"{type(error).__name__}: {' '.join((ptxas or telling or lines)[:2])[:400]}"
