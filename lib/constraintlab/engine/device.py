"""Which device an engine's tensors live on: a name, looked at when the model is loaded."""

from __future__ import annotations

AUTO = "auto"
DEVICES = (AUTO, "cpu", "cuda")
"""`auto` is `cuda` where torch can use a GPU, else `cpu`."""


def check(wanted: str) -> None:
    """ValueError for a name that there is not. Touches no driver."""
    if wanted not in DEVICES:
        raise ValueError(f"device={wanted!r}: use {', '.join(DEVICES)}")


def resolve(wanted: str = AUTO) -> str:
    """`cpu` or `cuda`. ValueError that names the fix where a GPU is asked for and there is none."""
    check(wanted)
    if wanted == "cpu":
        return wanted
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == AUTO:
        return "cpu"
    built = torch.version.cuda
    fix = (
        f"this torch was built for CUDA {built} and finds no GPU: check nvidia-smi, or use "
        "device='cpu'"
        if built
        else "this torch was built without CUDA: install a CUDA build of it, or use device='cpu'"
    )
    raise ValueError(f"device='cuda': {fix}")
