"""The extra: what is said without it, on import and on the command line."""

import sys

import pytest
from typer.testing import CliRunner

from constraintlab.cli import app


@pytest.fixture
def no_ray(monkeypatch):
    for name in [m for m in sys.modules if m.startswith("constraintlab.cluster.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "constraintlab.cluster", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.serve", None)


def test_without_ray_the_import_names_the_extra(no_ray):
    with pytest.raises(ImportError, match=r"pip install 'constraintlab\[cluster\]'"):
        import constraintlab.cluster.local  # noqa: F401


def test_without_ray_the_command_names_the_extra_and_starts_nothing(no_ray):
    done = CliRunner().invoke(app, ["cluster", "--decode", "2"])
    assert done.exit_code == 2 and "pip install 'constraintlab[cluster]'" in done.output


@pytest.mark.parametrize("flag", ["--decode", "--prefill", "--gateway"])
def test_a_tier_without_replicas_is_no_cluster(flag):
    done = CliRunner().invoke(app, ["cluster", flag, "0"])
    assert done.exit_code == 2 and flag in done.output
