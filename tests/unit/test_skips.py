"""Our conftest at work in a pytest of its own: skips in CI, and a home that is not the user's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"

UNFORESEEN = """
import pytest
def test_left_out():
    pytest.skip("no Chromium found")
def test_runs():
    pass
"""

ALLOWED = """
import pytest
@pytest.mark.skipif(True, reason="no NVIDIA GPU here")
def test_gpu():
    pass
@pytest.mark.xfail(reason="known")
def test_known():
    assert False
"""

A_MODULE_LEFT_OUT = """
import pytest
pytest.importorskip("no_such_package_anywhere")
"""

HOME = """
import os
def test_home():
    assert os.environ["CONSTRAINTLAB_HOME"] != "/of/the/user"
    assert os.path.isdir(os.environ["CONSTRAINTLAB_HOME"])
"""


@pytest.fixture
def pytest_on(tmp_path):
    """pytest_on(text, CI=…) → exit status and what was printed, with our conftest beside it."""

    def run(*texts: str, **variables: str) -> tuple[int, str]:
        shutil.copy(CONFTEST, tmp_path / "conftest.py")
        for i, text in enumerate(texts):
            (tmp_path / f"test_{i}.py").write_text(text)
        env = {k: v for k, v in os.environ.items() if k not in ("CI", "PYTEST_ADDOPTS")}
        quick = env | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "CONSTRAINTLAB_HOME": "/of/the/user"}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
        done = subprocess.run(
            [*command, f"--rootdir={tmp_path}", str(tmp_path)],
            env=quick | variables, capture_output=True, text=True,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return run


def test_in_ci_an_unforeseen_skip_fails_the_run_and_is_named(pytest_on):
    status, said = pytest_on(UNFORESEEN, A_MODULE_LEFT_OUT, CI="true")
    assert status == 1
    assert "test_0.py::test_left_out: no Chromium found" in said
    assert "test_1.py: could not import 'no_such_package_anywhere'" in said
    assert "tests/conftest.py" in said and "1 passed" in said


def test_in_ci_an_allowed_skip_is_fine_and_so_is_a_home_for_the_tests(pytest_on):
    status, said = pytest_on(ALLOWED, HOME, CI="true")
    assert status == 0 and "counts as failed" not in said


def test_elsewhere_a_skip_is_only_a_skip(pytest_on):
    status, said = pytest_on(UNFORESEEN, HOME)
    assert status == 0 and "counts as failed" not in said


def test_the_home_of_these_very_tests_is_temporary():
    assert "constraintlab-tests-" in os.environ["CONSTRAINTLAB_HOME"]
