"""What every notebook of the course owes its reader, as functions that return complaints.

A notebook is the dict that its file holds (nbformat 4); no complaint is an empty list.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAX_CELLS, MAX_BYTES = 25, 1_000_000
WIDGET = "application/vnd.jupyter.widget-"
CHECKED, EXERCISE = "nbval-check-output", "exercise"
TOPS = "home|Users|root|tmp|private|var|usr|opt|mnt|srv|workspaces?"
"""Folders at the top of a file system in which people keep a clone, a venv or a scratch file."""
PATH = re.compile(rf"(?<![\w.:/])(/({TOPS})/[\w.]|[A-Z]:\\\w)|{re.escape(str(ROOT))}\b")
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{8,}\b")
IMAGE, SAID = re.compile(r"<img\b[^>]*>"), re.compile(r"\balt=\"[^\"]*\w")


def source(cell: dict) -> str:
    return "".join(cell.get("source", ""))


def code(notebook: dict) -> Iterator[tuple[int, dict]]:
    """The code cells with their places, counted from 0 over all cells."""
    return ((i, c) for i, c in enumerate(notebook["cells"]) if c["cell_type"] == "code")


def tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def texts(cell: dict, kinds: str = "text/") -> list[str]:
    """All that the stored outputs say: streams, and data whose type starts with `kinds`."""
    found = []
    for output in cell.get("outputs", []):
        found.append("".join(output.get("text", "")))
        data = output.get("data", {})
        found += ["".join(text) for kind, text in data.items() if kind.startswith(kinds)]
    return [text for text in found if text.strip()]


def called(cell: dict) -> Iterator[tuple[str, ast.Call]]:
    """Each call in a cell, with the name that is called: `f` for f(…), for x.f(…) too."""
    plain = re.sub(r"(?m)^\s*[%!].*$", "", source(cell))  # IPython's magics are no Python
    for node in ast.walk(ast.parse(plain)):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "attr", getattr(node.func, "id", "")), node


def calls(cell: dict, method: str) -> list[str | None]:
    """The first argument of each call of `method` in a cell; None where it is no literal."""
    first = [node.args[0] if node.args else None for name, node in called(cell) if name == method]
    return [arg.value if isinstance(arg, ast.Constant) else None for arg in first]


def unstored_checks(notebook: dict) -> list[str]:
    """A claim that nbval does not compare, or compares with nothing, or that was stored broken."""
    found, checked = [], 0
    for i, cell in code(notebook):
        if calls(cell, "claim") and CHECKED not in tags(cell):
            found.append(f"cell {i} makes a claim: tag it {CHECKED}")
        if CHECKED in tags(cell):
            checked += 1
            if not texts(cell, "text/plain"):
                found.append(f"cell {i} is checked but stores no text: `make execute`")
            if cell.get("execution_count") is None:
                found.append(f"cell {i} is checked but was never executed: `make execute`")
            if any("DOES NOT HOLD" in text for text in texts(cell)):
                found.append(f"cell {i} stores a claim that did not hold")
    return found if checked else [*found, f"no cell is tagged {CHECKED}"]


def stored_widgets(notebook: dict) -> list[str]:
    """Widget state or views, which are blank without the kernel that made them."""
    found = ["the metadata stores widget state"] if "widgets" in notebook["metadata"] else []
    for i, cell in code(notebook):
        for output in cell.get("outputs", []):
            if any(kind.startswith(WIDGET) for kind in output.get("data", {})):
                found.append(f"cell {i} stores a widget's view")
    return found


def stored_errors(notebook: dict) -> list[str]:
    """Tracebacks among the outputs."""
    return [
        f"cell {i} stores an error: {output.get('ename')}"
        for i, cell in code(notebook)
        for output in cell.get("outputs", [])
        if output["output_type"] == "error"
    ]


def silent_pictures(notebook: dict) -> list[str]:
    """Pictures without a word for who can't see them: nbconvert takes `alt` from the metadata."""
    found = []
    for i, cell in code(notebook):
        for output in cell.get("outputs", []):
            data, metadata = output.get("data", {}), output.get("metadata", {})
            for kind in data:
                if kind.startswith("image/") and not metadata.get(kind, {}).get("alt", "").strip():
                    found.append(f"cell {i} stores a picture without words: `make execute`")
            for image in IMAGE.findall("".join(data.get("text/html", ""))):
                if not SAID.search(image):
                    found.append(f"cell {i} stores an <img> without words")
    return found


def private_outputs(notebook: dict) -> list[str]:
    """Paths of one machine and memory addresses: noise for a reader, a difference every run."""
    found = []
    for i, cell in code(notebook):
        for text in texts(cell):
            for what, pattern in (("a path", PATH), ("a memory address", ADDRESS)):
                if seen := pattern.search(text):
                    found.append(f"cell {i} stores {what}: {text[seen.start() :][:30]!r}")
    return found


def too_large(notebook: dict, size: int) -> list[str]:
    """`size` is the file's, in bytes."""
    n = len(notebook["cells"])
    found = [f"{n} cells, at most {MAX_CELLS}"] if n > MAX_CELLS else []
    return found + ([f"{size} bytes, at most {MAX_BYTES}"] if size > MAX_BYTES else [])


def odd_kernel(notebook: dict) -> list[str]:
    """A kernel that only its author has, or the author's exact Python."""
    found, meta = [], notebook["metadata"]
    name = meta.get("kernelspec", {}).get("name")
    if name != "python3":
        found.append(f"the kernelspec is {name!r}, not 'python3'")
    if "version" in meta.get("language_info", {}):
        found.append("language_info pins a Python version")
    return found


RUNS = (
    "run", "serve", "stream", "stalled", "tapped", "face", "spar", "many", "fewest_replicas",
    "play",
)  # fmt: skip
"""Calls that measure something, besides all with `race` in their names."""


def unpredicted(notebook: dict) -> list[str]:
    """A run before any prediction, one never revealed, revealed unasked, or with no run between."""
    found, asked, ran = [], {}, []
    for i, cell in code(notebook):
        if any(name in RUNS or "race" in name for name, _ in called(cell)):
            ran.append(i)
            if not asked:
                found.append(f"cell {i} runs before any prediction")
        for key in calls(cell, "reveal"):
            if key not in asked:
                found.append(f"cell {i} reveals {key!r}, which no cell before it asked")
            elif not any(asked[key] < r <= i for r in ran):
                found.append(f"cell {i} reveals {key!r}, but nothing ran since it was asked")
        asked |= dict.fromkeys(calls(cell, "predict"), i)
    revealed = {key for _, cell in code(notebook) for key in calls(cell, "reveal")}
    return found + [f"{key!r} is asked and never revealed" for key in asked.keys() - revealed]


def unforeseen(notebook: dict) -> list[str]:
    """What the tool shows beside a measurement and did not predict before, what it predicted and
    never showed, and a lab in which it predicts no fix at all.

    Keys that are no literals can't be told apart: then nothing is said of them.
    """
    found, asked, shown = [], {}, set()
    for i, cell in code(notebook):
        for name, call in sorted(called(cell), key=lambda c: (c[1].lineno, c[1].col_offset)):
            if name == "foresee":
                (key,) = _literals(call.args[:1]) or (None,)
                asked[key] = i
            elif name == "outcomes":
                keys = _keys(call.args[0]) if call.args else set()
                shown |= keys
                if not asked:
                    found.append(f"cell {i} shows an outcome, and no fix was foreseen before it")
                elif None not in asked:
                    late = sorted(k for k in keys - {None} if k not in asked)
                    found += [f"cell {i} shows {k!r}, which was not foreseen before" for k in late]
    if not asked:
        found.append("no fix is foreseen: lab.foresee before it, lab.outcomes after")
    if None not in shown:
        never = [k for k in asked if k is not None and k not in shown]
        found += [f"{k!r} is foreseen and its outcome never shown" for k in never]
    return found


def _literals(nodes: list[ast.expr]) -> list[object]:
    return [n.value for n in nodes if isinstance(n, ast.Constant)]


def _keys(node: ast.expr) -> set[object]:
    """The literal keys of a dict; None stands for those that can't be read."""
    if not isinstance(node, ast.Dict):
        return {None}
    return {k.value if isinstance(k, ast.Constant) else None for k in node.keys}


def exercises(notebook: dict) -> list[str | None]:
    """Names of the exercises: what the cells with that tag hand to `lab.check`."""
    tagged = [cell for _, cell in code(notebook) if EXERCISE in tags(cell)]
    return [name for cell in tagged for name in calls(cell, "check") or [None]]


def exercise_gaps(
    number: str, notebook: dict, solution: dict | None, checkers: tuple[str, ...]
) -> list[str]:
    """A lab without an exercise, or an exercise without its solution or its checker."""
    names = exercises(notebook)
    if not names:
        return [f"lab {number}: no cell is tagged {EXERCISE}"]
    if solution is None:
        return [f"lab {number}: there is no notebook of that name in labs/solutions"]
    solved = [name for _, cell in code(solution) for name in calls(cell, "check")]
    found = []
    for name in names:
        if name is None:
            found.append(f"lab {number}: an exercise never calls lab.check")
            continue
        if name not in solved:
            found.append(f"lab {number}: exercise {name} has no solution")
        if f"{number}.{name}" not in checkers:
            found.append(f"lab {number}: exercise {name} has no checker in course/exercises.py")
    return found
