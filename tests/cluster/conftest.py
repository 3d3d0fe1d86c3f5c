"""Ray comes with `constraintlab[cluster]`; without it these tests skip, a failure in CI."""

import importlib.util

import pytest


@pytest.fixture(scope="session", autouse=True)
def ray():
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed: pip install 'constraintlab[cluster]'")
    # Also where the user's own shell says otherwise: no word to anybody about these tests.
    from constraintlab.cluster import local

    return local.ray
