"""What the notebooks ask, read from their cells without running them.

`python -m constraintlab.room.asked labs` writes `questions.json` beside this file, which the room
works from: an installed package has no notebooks, and no text from the network gets on the screen.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from constraintlab.room.catalogue import FILE, HOLE


class Unread(ValueError):
    """A question whose wording or options only running its notebook would tell."""


def read(folder: Path) -> list[dict]:
    """Every question of the notebooks in `folder`, in the order in which they are asked.

    Each is {lab, key, question, options, unit}; unit is that of the value that its reveal reports,
    or None. Unread where the options can't be read.
    """
    found = []
    for path in sorted(folder.glob("[0-9][0-9]_*.ipynb")):
        found += questions(path.name[:2], json.loads(path.read_text(encoding="utf-8")))
    return found


def questions(lab: str, notebook: Mapping) -> list[dict]:
    """Those of one notebook, a dict as its file holds it."""
    names: dict[str, ast.expr] = {}
    found: dict[str, dict] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        for node in _in_order(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                names[node.targets[0].id] = node.value
            elif isinstance(node, ast.Call) and _method(node) == "predict":
                key, question, options = (_argument(node, i) for i in range(3))
                found[_text(key, names)] = {
                    "lab": lab, "key": _text(key, names), "question": _text(question, names),
                    "options": _options(options, names), "unit": None,
                }  # fmt: skip
            elif isinstance(node, ast.Call) and _method(node) == "reveal":
                unit = next((k.value for k in node.keywords if k.arg == "unit"), None)
                if unit is not None:
                    found[_text(_argument(node, 0), names)]["unit"] = _text(unit, names)
    return list(found.values())


def _in_order(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes as they stand in the text."""
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.Assign | ast.Call)]
    return iter(sorted(nodes, key=lambda n: (n.lineno, n.col_offset)))


def _method(call: ast.Call) -> str:
    return getattr(call.func, "attr", "")


def _argument(call: ast.Call, place: int) -> ast.expr:
    names = ("key", "question", "options")
    named = {k.arg: k.value for k in call.keywords}
    if place < len(call.args):
        return call.args[place]
    if names[place] in named:
        return named[names[place]]
    raise Unread(f"{ast.unparse(call)}: there is no {names[place]}")


def _text(node: ast.expr, names: Mapping[str, ast.expr]) -> str:
    """A string, with HOLE for each value that is formatted into it."""
    if isinstance(node, ast.Name) and node.id in names:
        return _text(names[node.id], names)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            HOLE if isinstance(part, ast.FormattedValue) else _text(part, names)
            for part in node.values
        )
    raise Unread(f"{ast.unparse(node)} is no text that can be read without running it")


def _options(node: ast.expr, names: Mapping[str, ast.expr]) -> list[str]:
    """A list's texts, or a dict's keys or values; through names, list(…), *…."""
    if isinstance(node, ast.Name) and node.id in names:
        return _options(names[node.id], names)
    if isinstance(node, ast.List | ast.Tuple):
        return [
            text
            for part in node.elts
            for text in (
                _options(part.value, names) if isinstance(part, ast.Starred)
                else [_text(part, names)]
            )
        ]  # fmt: skip
    if isinstance(node, ast.Dict):
        return [_text(key, names) for key in node.keys]
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "list":
        return _options(node.args[0], names)
    if isinstance(node, ast.Call) and _method(node) in ("keys", "values"):
        held = node.func.value
        held = names.get(held.id, held) if isinstance(held, ast.Name) else held
        if isinstance(held, ast.Dict):
            parts = held.keys if _method(node) == "keys" else held.values
            return [_text(part, names) for part in parts]
    raise Unread(f"{ast.unparse(node)}: options that can't be read without running the notebook")


def main(folder: str) -> None:
    """Write what the notebooks in `folder` ask."""
    text = json.dumps(read(Path(folder)), indent=1, ensure_ascii=False)
    FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
