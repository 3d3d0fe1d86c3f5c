"""Every control that a person can use has a browser test that it reacts."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable
from pathlib import Path

JS_BUTTON = re.compile(r'\bbutton\("([\w-]+)"')


def declared(lib: Path) -> dict[str, str]:
    """Control → the module that lists it: those that assign a CONTROLS tuple, imported."""
    found = {}
    for path in sorted(lib.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        targets = [t for node in tree.body if isinstance(node, ast.Assign) for t in node.targets]
        if any(getattr(t, "id", None) == "CONTROLS" for t in targets):
            parts = path.relative_to(lib.parent).with_suffix("").parts
            module = ".".join(parts).removesuffix(".__init__")
            found |= dict.fromkeys(importlib.import_module(module).CONTROLS, module)
    return found


def undeclared(lib: Path, controls: Iterable[str]) -> list[str]:
    """Modules that listen to a widget without CONTROLS, and JavaScript's buttons not in any."""
    found = []
    for path in sorted(lib.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        listens = any(
            isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("on_click", "observe")
            for node in ast.walk(ast.parse(text))
        )
        if listens and "CONTROLS =" not in text:
            found.append(f"{path.relative_to(lib)} listens to a widget: list it in a CONTROLS")
    for path in sorted(lib.rglob("src/*.js")):
        for name in JS_BUTTON.findall(path.read_text(encoding="utf-8")):
            if name not in controls:
                found.append(f"{path.relative_to(lib)}: button {name!r} is in no CONTROLS")
    return found


def reactions(folder: Path) -> set[str]:
    """Names in `@pytest.mark.reacts("name")` on the tests in `folder`, skipped ones left out."""
    found = set()
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                marks = [
                    d.args[0].value
                    for d in node.decorator_list
                    if isinstance(d, ast.Call) and isinstance(d.func, ast.Attribute) and d.args
                    if d.func.attr == "reacts" and isinstance(d.args[0], ast.Constant)
                ]
                plain = [ast.unparse(d) for d in node.decorator_list]
                if not any("mark.skip" in d for d in plain):
                    found |= set(marks)
    return found


def control_complaints(controls: Iterable[str], tested: Iterable[str]) -> list[str]:
    """A control without a reaction test, and a reaction test of a control that is gone."""
    controls, tested = set(controls), set(tested)
    return [
        *(
            f'{name} has no browser test: mark one @pytest.mark.reacts("{name}")'
            for name in sorted(controls - tested)
        ),
        *(
            f"a browser test reacts to {name}, which is in no CONTROLS"
            for name in sorted(tested - controls)
        ),
    ]
