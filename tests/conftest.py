"""Every test: a home of its own, and in CI no skip that nobody allowed."""

import os
import re
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

MAY_SKIP = (r"no (NVIDIA )?GPU", r"root writes anywhere", r"CONSTRAINTLAB_TRACES is not set")
"""Reasons that are fine in CI, as patterns: what no one can ask of a CI machine."""


class Skips:
    """The skips of a session; in CI, one whose reason is not in MAY_SKIP fails the run."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def _note(self, report) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        why = why.removeprefix("Skipped: ")
        if not any(re.match(pattern, why) for pattern in MAY_SKIP):
            self.refused.append(f"{report.nodeid}: {why}")

    pytest_runtest_logreport = _note
    pytest_collectreport = _note

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session) -> None:
        if self.refused and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter) -> None:
        if self.refused:
            terminalreporter.section("skipped in CI, which counts as failed", red=True)
            for line in self.refused:
                terminalreporter.line(line)
            terminalreporter.line("Make them run, or allow the reason in tests/conftest.py.")


KEPT = Path(sys.prefix) / "constraintlab-tests"
"""What compilers made, kept from run to run, named by its sources: a quarter of a run's time."""


def pytest_configure(config) -> None:
    home = tempfile.mkdtemp(prefix="constraintlab-tests-")
    notebooks = config.getoption("nbval_lax", False)
    # The tests of x-raying itself compile; a notebook's cells need not.
    for name in ("numba", "xray") if notebooks else ("numba",):
        with suppress(OSError):  # no links here, or a Python that is not ours: each run compiles
            (KEPT / name).mkdir(parents=True, exist_ok=True)
            os.symlink(KEPT / name, Path(home) / name, target_is_directory=True)
    patch = pytest.MonkeyPatch()
    patch.setenv("CONSTRAINTLAB_HOME", home)
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    config.add_cleanup(patch.undo)
    if os.environ.get("CI") == "true":
        config.pluginmanager.register(Skips(), "constraintlab-skips")
