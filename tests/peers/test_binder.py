"""repo2docker reads the repository as Binder does; nothing is built, and Docker is not needed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import need

ROOT = Path(__file__).resolve().parents[2]


def repo2docker(folder):
    """(exit status, what `jupyter-repo2docker --no-build --debug` prints: the Dockerfile)."""
    done = subprocess.run(
        [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def dockerfile():
    need("repo2docker")
    status, said = repo2docker(ROOT)
    assert status == 0, said[-3000:]
    return said


def test_the_image_has_the_python_that_the_course_wants(dockerfile):
    assert re.search(r"conda environment for python=3\.12", dockerfile)
    assert '--file "binder/environment.yml"' in dockerfile


def test_the_course_is_installed_by_post_build_and_started_by_start(dockerfile):
    assert "RUN ./binder/postBuild" in dockerfile
    assert re.search(r'ENV R2D_ENTRYPOINT="\$\{REPO_DIR\}/binder/start"', dockerfile)


def test_a_file_that_is_no_environment_would_be_seen(tmp_path):
    """The other outcome: so a pass above says something."""
    need("repo2docker")
    (tmp_path / "binder").mkdir()
    (tmp_path / "binder" / "environment.yml").write_text("dependencies: python=3.12\n")
    status, said = repo2docker(tmp_path)
    assert status != 0 or "conda environment for python=3.12" not in said
