"""What goes wrong in an x-ray, in one line that a person can act on."""

from __future__ import annotations

import re
import signal

NO_TRITON = (
    "the x-ray needs Triton, which is not here: use Linux on x86-64 (no GPU needed), where "
    "`pip install triton` brings it"
)


class XrayError(RuntimeError):
    """The kernel can't be compiled or read here; the message names the cause and the fix."""


def cause(error: BaseException, log: str = "") -> str:
    """The innermost reason in one readable piece: Triton wraps errors, ptxas adds its command.

    log: what was printed meanwhile. MLIR writes its reasons there and raises without them.
    """
    place = _place(error)
    while error.__cause__ is not None:
        error = error.__cause__
        place = _place(error) or place
    said = getattr(error, "error_message", None) or str(error)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    ptxas = [m[1] for line in lines if (m := re.search(r"^ptxas .*; (error .*)", line))]
    fatal = [line for line in lines if line.startswith("ptxas fatal")]
    telling = [line for line in lines if re.search(r"error|must|not|expected", line, re.I)]
    mlir = _errors(log) if type(error) is RuntimeError else []
    found = mlir or ptxas or fatal or telling or lines
    return f"{type(error).__name__}: {' '.join(found[:2])[:400]}{place}"


def _place(error: BaseException) -> str:
    """The line of the kernel over the caret, where Triton draws one."""
    lines = str(error).splitlines()
    at = next((i for i, line in enumerate(lines) if line.strip() == "^"), 0)
    return f", in `{lines[at - 1].strip()[:160]}`" if at else ""


def ended(status: int | None, log: str, patience: float) -> str:
    """Why the compiler is gone, and the last that it said; status None: it was stopped."""
    if status is None:
        how = f"was stopped after {patience:g} s (a smaller tile takes seconds)"
    elif status < 0:
        how = f"was ended by {signal.Signals(-status).name}"
    else:
        how = f"ended with status {status}"
    if status == -signal.SIGKILL:
        how += ", as happens when memory runs out"
    last = " ".join((_errors(log) or _lines(log))[-3:])[-400:]
    return f"the compiler {how}; " + (f"its last words: {last}" if last else "it said nothing")


def _errors(log: str) -> list[str]:
    return [line for line in _lines(log) if re.search(r"\berror\b|LLVM ERROR|Assertion", line)]


def _lines(log: str) -> list[str]:
    """A log's lines without the stack's, which name no cause."""
    stack = re.compile(r"#?\d+[.:]?\s|PLEASE submit|Stack dump|\[0x|/\S+\(\+0x")
    lines = (line.strip() for line in log.splitlines())
    return [line for line in lines if line and not stack.match(line)]
