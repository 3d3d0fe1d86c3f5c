"""Which device an engine is on, and what it says where there is no such device."""

import pytest
import torch

from constraintlab.engine import device
from constraintlab.engine.setup import Setup, build, load, load_for


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_auto_is_the_cpu_where_there_is_no_gpu(no_gpu):
    assert device.resolve("auto") == device.resolve("cpu") == "cpu"
    config, weights, _ = load_for(Setup("nano"))
    assert weights.embedding.device.type == "cpu"
    engine = build(Setup("nano"), (config, weights, None))
    assert type(engine.model).__name__ == "Runner"


def test_auto_is_the_gpu_where_torch_can_use_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.resolve("auto") == device.resolve("cuda") == "cuda"
    assert device.resolve("cpu") == "cpu"


@pytest.mark.parametrize(
    ("built", "fix"), [(None, "install a CUDA build"), ("13.0", "built for CUDA 13.0.*nvidia-smi")]
)
def test_a_gpu_that_is_not_there_is_refused_with_the_fix(no_gpu, monkeypatch, built, fix):
    monkeypatch.setattr(torch.version, "cuda", built)
    with pytest.raises(ValueError, match=f"device='cuda'.*{fix}.*device='cpu'"):
        load_for(Setup("nano", device="cuda"))


def test_a_name_that_is_none_is_refused_before_anything_is_loaded():
    with pytest.raises(ValueError, match="device='gpu': use auto, cpu, cuda"):
        Setup(device="gpu")


def test_a_model_that_was_loaded_elsewhere_is_refused():
    with pytest.raises(ValueError, match="loaded on cpu: load it with device='cuda'"):
        build(Setup("nano", device="cuda"), load("nano"))


def test_another_device_needs_another_engine():
    with pytest.raises(ValueError, match=r"device='cuda'.*start another"):
        Setup(device="cpu").check_change(Setup(device="cuda"))
