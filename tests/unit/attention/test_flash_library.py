"""Which generation of flash-attn a GPU gets, on a machine that has neither."""

import sys
from types import ModuleType

import pytest

from constraintlab.attention import flash_library


@pytest.fixture(autouse=True)
def afresh(monkeypatch):
    flash_library.function.cache_clear()
    real = flash_library.find_spec
    monkeypatch.setattr(flash_library, "find_spec", lambda name: name in sys.modules or real(name))
    yield
    flash_library.function.cache_clear()


def installed(monkeypatch, name):
    module = ModuleType(name)
    module.flash_attn_func = lambda *_, **__: name
    monkeypatch.setitem(sys.modules, name, module)
    return module


def test_each_generation_that_is_missing_says_how_it_is_had():
    why, call = flash_library.function(9)
    assert call is None
    assert "FlashAttention-4 (CuTe) is not installed (pip install flash-attn-4)" in why
    assert "FlashAttention-3 is not installed (build hopper/ of its repository)" in why
    assert "FlashAttention-2 is not installed (pip install 'constraintlab[gpu]')" in why


def test_a_generation_that_does_not_support_the_gpu_is_not_even_looked_for():
    why, _ = flash_library.function(8)
    assert "FlashAttention-4 (CuTe) does not support compute capability 8.x" in why
    assert "FlashAttention-3 does not support compute capability 8.x" in why


def test_the_newest_that_is_there_is_taken(monkeypatch):
    installed(monkeypatch, "flash_attn")
    assert flash_library.function(9)[0] == "FlashAttention-2"
    flash_library.function.cache_clear()
    installed(monkeypatch, "flash_attn_interface")
    name, call = flash_library.function(9)
    assert name == "FlashAttention-3" and call() == "flash_attn_interface"


def test_one_that_does_not_load_is_passed_over_with_what_it_said(monkeypatch):
    installed(monkeypatch, "flash_attn_interface")
    installed(monkeypatch, "flash_attn")

    def load(name):
        if name == "flash_attn_interface":
            raise OSError("built for CUDA 12")
        return sys.modules[name]

    monkeypatch.setattr(flash_library, "import_module", load)
    assert flash_library.function(9)[0] == "FlashAttention-2"
    flash_library.function.cache_clear()
    monkeypatch.delitem(sys.modules, "flash_attn")
    assert "FlashAttention-3 does not load: built for CUDA 12" in flash_library.function(9)[0]
