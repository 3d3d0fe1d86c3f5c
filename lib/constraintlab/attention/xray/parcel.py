"""A kernel packed so that a fresh process can compile it, wherever it was defined.

Not pickled: its module may be a notebook, and under TRITON_INTERPRET it is no compilable object.
What travels is its source, and that of the kernels it calls, with the values their names stand for.
"""

from __future__ import annotations

import inspect
import pickle
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field

from constraintlab.attention.xray.errors import XrayError


@dataclass
class Source:
    """One function: its lines, where they stood, and what the names in it mean.

    names: name → ("module", name) · ("function", index of another Source) · ("value", pickle)
    · ("from", module, name). lost: name → type, for values that can't travel.
    """

    name: str
    file: str
    line: int
    text: str
    noinline: bool = False
    names: dict[str, tuple] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)


def pack(kernel: object) -> list[Source]:
    """The kernel first, then what it calls. Raises XrayError for what is no kernel."""
    packed: dict[int, int] = {}
    sources: list[Source] = []
    _pack(kernel, sources, packed)
    return sources


def python_function(kernel: object) -> types.FunctionType | None:
    """The function under @triton.jit, its interpreter, @triton.autotune or @triton.heuristics."""
    seen = 0
    while not isinstance(kernel, types.FunctionType) and hasattr(kernel, "fn") and seen < 8:
        kernel, seen = kernel.fn, seen + 1
    return kernel if isinstance(kernel, types.FunctionType) else None


def _pack(kernel: object, sources: list[Source], packed: dict[int, int]) -> int:
    function = python_function(kernel)
    if function is None:
        raise XrayError(f"{kernel!r} is no kernel: give a function decorated with @triton.jit")
    if id(function) in packed:
        return packed[id(function)]
    text, line = _lines(kernel, function)
    noinline = getattr(kernel, "noinline", None) or getattr(kernel, "kwargs", {}).get("noinline")
    made = Source(function.__name__, function.__code__.co_filename, line, text, bool(noinline))
    packed[id(function)] = len(sources)
    sources.append(made)
    for name, value in _meanings(function):
        _name(made, name, value, sources, packed)
    return packed[id(function)]


def _lines(kernel: object, function: types.FunctionType) -> tuple[str, int]:
    """Source as it was when the kernel was made, if Triton kept it: the file may have changed."""
    while kernel is not function and not hasattr(kernel, "raw_src"):
        kernel = kernel.fn
    try:
        if kernel is not function:
            return "".join(kernel.raw_src), kernel.starting_line_number
        lines, start = inspect.getsourcelines(function)
    except OSError as error:
        raise XrayError(
            f"the source of {function.__name__} can't be found: define it in a file or a notebook "
            "cell, not through exec or at the prompt of plain Python"
        ) from error
    return "".join(lines), start


def _meanings(function: types.FunctionType) -> Iterator[tuple[str, object]]:
    """The globals and closed-over names that a function's code mentions, with their values."""
    closed = {
        name: cell.cell_contents
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        )
    }
    for name in sorted(_mentioned(function.__code__) | set(closed)):
        if name in closed:
            yield name, closed[name]
        elif name in function.__globals__:
            yield name, function.__globals__[name]


def _mentioned(code: types.CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return set(code.co_names).union(*map(_mentioned, inner))


def _name(
    made: Source, name: str, value: object, sources: list[Source], packed: dict[int, int]
) -> None:
    if isinstance(value, types.ModuleType):
        made.names[name] = ("module", value.__name__)
    elif home := _of_triton(value):
        made.names[name] = ("from", *home)
    elif python_function(value) is not None and not isinstance(value, types.FunctionType):
        made.names[name] = ("function", _pack(value, sources, packed))
    else:
        try:
            made.names[name] = ("value", pickle.dumps(value))
        except Exception:  # whatever a value's own pickling may raise
            made.lost[name] = type(value).__name__


def _of_triton(value: object) -> tuple[str, str] | None:
    """Module and name of what Triton itself defines: the other process has its own."""
    inner = python_function(value) or value
    module, name = getattr(inner, "__module__", None), getattr(inner, "__name__", None)
    if not isinstance(module, str) or not isinstance(name, str) or not module.startswith("triton."):
        return None
    return (module, name) if hasattr(sys.modules.get(module), name) else None
