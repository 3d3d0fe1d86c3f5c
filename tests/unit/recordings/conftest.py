"""No recorder that a test left open hears another test's panels."""

import pytest

from constraintlab.panel import widget


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(widget, "LISTENERS", [])
