"""Which GPU, driver and software a run is of; and whether torch can use a GPU at all."""

from __future__ import annotations

from constraintlab.gpu.here import NO_GPU


def usable() -> str:
    """Why torch can't use an NVIDIA GPU here; nothing where it can."""
    try:
        import torch
    except ImportError as error:
        return f"{NO_GPU}: torch is not installed ({error})"
    if not torch.cuda.is_available():
        built = torch.version.cuda
        return NO_GPU if built else f"{NO_GPU}, and this torch is its CPU build"
    try:
        torch.zeros(1, device="cuda").add_(1).item()
    except RuntimeError as error:
        return f"{NO_GPU} that torch {torch.__version__} can use: {error}"
    return ""


def facts(device: str) -> dict[str, str]:
    """What a figure must be read with: machine, GPU, driver, versions. Texts only."""
    from constraintlab.limits.machine import describe
    from constraintlab.recordings.machine import driver, versions

    told = describe(device) | {name: v for name, v in versions().items() if name != "torch"}
    if device != "cuda":
        return told
    import torch

    props = torch.cuda.get_device_properties(0)
    return told | {
        "driver": driver(),
        "cuda": str(torch.version.cuda),
        "capability": f"{props.major}.{props.minor}",
        "processors": str(props.multi_processor_count),
        "gpu_memory_gb": f"{props.total_memory / 1e9:.0f}",
    }
