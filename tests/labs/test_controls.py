"""The controls' checks, on planted ones and on ours."""

import sys

import pytest

from tests.labs import controls
from tests.labs.meta import ROOT

LIB, BROWSER = ROOT / "lib" / "constraintlab", ROOT / "tests" / "browser"


def test_every_control_has_a_browser_test_that_it_reacts():
    found = controls.declared(LIB)
    assert {"predict-choice", "panel-pause", "panel-table"} <= found.keys()
    assert controls.control_complaints(found, controls.reactions(BROWSER)) == []


def test_every_control_is_declared():
    assert controls.undeclared(LIB, controls.declared(LIB)) == []


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package `planted` with one module, written by the test."""
    lib = tmp_path / "planted"
    (lib / "src").mkdir(parents=True)
    (lib / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield lib
    for name in [n for n in sys.modules if n.split(".")[0] == "planted"]:
        del sys.modules[name]


def test_a_tuple_of_controls_is_found_where_it_is_assigned(package):
    (package / "buttons.py").write_text('CONTROLS = tuple(f"go-{x}" for x in "ab")\n')
    (package / "other.py").write_text("from planted.buttons import CONTROLS\n")
    assert controls.declared(package) == {"go-a": "planted.buttons", "go-b": "planted.buttons"}


def test_a_listener_without_controls_is_told_to_list_it(package):
    (package / "quiet.py").write_text("def f(b):\n    b.on_click(print)\n")
    (package / "src" / "view.js").write_text('button("go", "Go", f); button("stop", "Stop", f);')
    quiet, stop = controls.undeclared(package, ["go"])
    assert quiet.startswith("quiet.py") and "'stop'" in stop
    (package / "quiet.py").write_text('CONTROLS = ("x",)\ndef f(b):\n    b.on_click(print)\n')
    assert controls.undeclared(package, ["go", "stop"]) == []


def test_only_a_marked_test_that_runs_counts(tmp_path):
    (tmp_path / "test_x.py").write_text(
        "import pytest\n"
        '@pytest.mark.reacts("go")\ndef test_go(): ...\n'
        '@pytest.mark.reacts("helper")\ndef helper(): ...\n'
        '@pytest.mark.skip(reason="later")\n@pytest.mark.reacts("late")\ndef test_late(): ...\n'
    )
    assert controls.reactions(tmp_path) == {"go"}


def test_missing_and_stale_reactions_are_named():
    assert controls.control_complaints(["go"], ["go"]) == []
    missing, stale = controls.control_complaints(["go", "stop"], ["go", "gone"])
    assert 'reacts("stop")' in missing and "gone" in stale
