"""The house's floors (who may import whom), and imports that stay light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LIB = Path(__file__).resolve().parents[2] / "lib" / "constraintlab"

BELOW_COURSE = {
    "limits", "attention", "engine", "serving", "load", "telemetry", "panel", "cluster", "watch",
    "scenarios", "room", "recordings",
}  # fmt: skip
MAY_IMPORT = {
    "limits": set(),
    "attention": {"limits"},
    "engine": {"limits", "attention"},
    "serving": {"limits", "attention", "engine"},
    # The truth that verdicts are held against: nothing of the model that makes them.
    "scenarios": {"engine", "serving", "load"},
    "load": {"limits", "attention", "engine"},
    "telemetry": {"limits"},
    "panel": {"limits", "telemetry"},
    # What panels drew, whatever made it: no engine, no course.
    "recordings": {"limits", "telemetry", "panel"},
    # An attached server is only ever asked over HTTP: no engine, no server of ours.
    "watch": {"limits", "load", "telemetry", "panel"},
    "cluster": {"limits", "attention", "engine", "serving", "load", "telemetry"},
    "cluster_cli": {"cluster", "engine", "serving"},
    # The server and the page know questions, resources and colours: no engine, no course.
    "room": {"limits", "panel"},
    "course": BELOW_COURSE,
    "gameday": BELOW_COURSE | {"course"},
    "bench": BELOW_COURSE | {"course"},
    # What `make gpu` runs: benches, tests and labs, and the claims that come of them.
    "gpu": BELOW_COURSE | {"course", "bench"},
    "cli": BELOW_COURSE | {"course", "bench", "cluster_cli"},
    "__init__": set(),
    "__main__": {"cli"},
}
"""Each folder or module at the top of the package, and the others that it may import."""

HEAVY = ("torch", "altair", "vl_convert", "pynvml", "triton", "numba", "prometheus_client")


def imports(tree: ast.AST, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, inside functions too; `package` resolves dots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            whole = ".".join((*base, *filter(None, [node.module])))
            yield from ((node.lineno, f"{whole}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            name = getattr(node.args[0], "value", None)
            if called in ("import_module", "__import__") and isinstance(name, str):
                yield node.lineno, name


def floor_complaints(lib: Path, may_import: dict[str, set[str]] = MAY_IMPORT) -> list[str]:
    """One line for each import in `lib` that goes up or sideways, and each unknown folder."""
    found = []
    for path in sorted(lib.rglob("*.py")):
        inside = path.relative_to(lib)
        own = inside.parts[0].removesuffix(".py")
        if own not in may_import:
            found.append(
                f"{inside}: no floor is given to {own!r}: add it to MAY_IMPORT in "
                "tests/unit/test_floors.py, and to the house in the design"
            )
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        for line, name in imports(tree, (lib.name, *inside.parts[:-1])):
            first, _, rest = name.partition(".")
            other = rest.split(".")[0]
            ours = first == lib.name and (other in may_import or _is_part(lib, other))
            if ours and other not in {own, *may_import[own]}:
                found.append(f"{inside}:{line}: {own} must not import {other}")
    return found


def _is_part(lib: Path, name: str) -> bool:
    """Whether `name` is a folder or module of the package, not one of its attributes."""
    return bool(name) and ((lib / name).is_dir() or (lib / f"{name}.py").exists())


def test_no_floor_imports_a_higher_one():
    assert floor_complaints(LIB) == []


@pytest.fixture
def house(tmp_path):
    """A small package with one module on each floor."""
    lib = tmp_path / "constraintlab"
    for name in ("limits", "telemetry", "engine", "panel", "course"):
        (lib / name).mkdir(parents=True)
        (lib / name / "__init__.py").write_text("")
    (lib / "cli.py").write_text("from constraintlab.course import x\n")
    (lib / "panel" / "draw.py").write_text(
        "from constraintlab.telemetry import sample\nfrom . import other\n"
    )
    return lib


def test_arrows_that_go_down_are_fine(house):
    assert floor_complaints(house) == []


@pytest.mark.parametrize(
    ("module", "text", "complaint"),
    [
        ("limits/a.py", "import constraintlab.telemetry.host\n", "1: limits must not import tel"),
        ("panel/a.py", "from constraintlab import engine\n", "1: panel must not import engine"),
        ("panel/a.py", "def f():\n    from ..engine import x\n", "2: panel must not import engine"),
        ("panel/a.py", "from .. import course, limits\n", "1: panel must not import course"),
        ("telemetry/a.py", "def f():\n  import constraintlab.panel\n", "2: telemetry must not"),
        (
            "engine/a.py",
            "import_module('constraintlab.panel')\n",
            "1: engine must not import panel",
        ),
        ("course/a.py", "from constraintlab.cli import app\n", "1: course must not import cli"),
        ("__init__.py", "from constraintlab.limits import x\n", "1: __init__ must not import"),
        ("panel/a.py", "import constraintlab.serving\n", "1: panel must not import serving"),
        ("attic/a.py", "", "add it to MAY_IMPORT in tests/unit/test_floors.py"),
    ],
)
def test_a_planted_violation_is_caught(house, module, text, complaint):
    (house / module).parent.mkdir(exist_ok=True)
    (house / module).write_text(text)
    (only,) = floor_complaints(house)
    assert complaint in only and only.startswith(module)


def heavy_after(statement: str) -> set[str]:
    """Which heavy packages a fresh interpreter has loaded after `statement`."""
    code = f"{statement}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split()) & set(HEAVY)


def test_light_callers_load_nothing_heavy():
    engine = ("engine.model.hf", "engine.model.names", "engine.model.work", "engine.tokenizer")
    telemetry = "telemetry.sampler", "telemetry.metrics_source", "watch.live"
    modules = "limits", *telemetry, "panel", "cli", *engine
    assert heavy_after("import " + ", ".join(f"constraintlab.{m}" for m in modules)) == set()


def test_the_engine_schedules_without_tensors():
    core = "request", "stops", "plan", "policies.static", "policies.continuous", "policies.chunked"
    stores = "kv.contiguous", "kv.paged", "kv.prefix"
    modules = (f"constraintlab.engine.{m}" for m in core + stores)
    assert heavy_after("import " + ", ".join(modules)) == set()


def test_what_verdicts_are_held_against_knows_no_verdict():
    """Not by what it imports either: a scenario's truth owes nothing to the model."""
    modules = "constraintlab.scenarios.perturb, constraintlab.scenarios.draw"
    code = f"import {modules}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "constraintlab.scenarios.run" in loaded
    assert not [m for m in loaded if m.startswith("constraintlab.limits")]


def test_a_heavy_import_would_be_seen():
    assert heavy_after("import pynvml") == {"pynvml"}
