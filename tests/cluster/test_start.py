"""Ray that does not start: tried again for whoever waits, and for nobody else."""

import os
import subprocess
import sys

import pytest


@pytest.fixture
def failing(ray, monkeypatch):
    from constraintlab.cluster import local

    tries = []

    def init(**kwargs):
        tries.append(kwargs)
        raise OSError("the raylet did not start")

    monkeypatch.setattr(local.ray, "init", init)
    monkeypatch.setattr(local.ray, "shutdown", lambda: None)
    monkeypatch.setattr(local.time, "sleep", lambda s: None)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return local, tries


def test_it_is_tried_some_times(failing):
    local, tries = failing
    with pytest.raises(OSError, match="raylet"):
        local.Cluster()
    assert len(tries) == local.STARTS


def test_it_is_not_tried_again_where_nobody_waits(failing):
    local, tries = failing
    with pytest.raises(RuntimeError, match="nobody waits"):
        local.Cluster(wanted=lambda: False)
    assert len(tries) == 1


def test_a_gateway_does_without_torch(ray):
    code = "import sys, constraintlab.cluster.gateway; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.strip() == "False", ran.stderr


def test_ray_s_own_processes_do_without_what_they_never_ask_for(ray):
    from constraintlab.cluster import local

    before = os.environ.get("PYTHONPATH")
    code = "import sys, jsonschema; print('rfc3987_syntax.utils' in sys.modules)"
    with local._light():
        assert os.environ["PYTHONPATH"].split(os.pathsep)[0] == local.LIGHT
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.strip() == "False", ran.stderr
    assert os.environ.get("PYTHONPATH") == before
