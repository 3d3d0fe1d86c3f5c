"""What NVML's errors mean to somebody who looks at an empty line of the panel."""

from __future__ import annotations

MISSING = "the Python package nvidia-ml-py is not installed: pip install nvidia-ml-py"

_MEANING = {
    "LibraryNotFound": "no NVIDIA driver on this machine",
    "DriverNotLoaded": "the NVIDIA driver is not loaded",
    "LibRmVersionMismatch": "the NVIDIA driver was updated: restart this machine",
    "NotSupported": "not supported by this GPU",
    "NoPermission": "insufficient permission to read it from the driver",
    "FunctionNotFound": "this NVIDIA driver is too old to say it",
    "GpuIsLost": "the GPU is lost: it fell off the bus, restart this machine",
    "ResetRequired": "the GPU must be reset before it answers again",
    "NotFound": "there is no such GPU",
    "InvalidArgument": "the driver does not take the question",
}

_LOST = {"GpuIsLost", "ResetRequired", "Uninitialized"}


def reason(error: Exception) -> str:
    """Why a figure is absent, without the `n/a: `."""
    if isinstance(error, AttributeError):
        return "this nvidia-ml-py is too old to ask for it: pip install -U nvidia-ml-py"
    said = " ".join(str(error).split()) or type(error).__name__
    return _MEANING.get(_name(error), f"NVML: {said}")


def is_lost(error: Exception) -> bool:
    """The GPU will not answer any further question."""
    return _name(error) in _LOST


def lacks_function(error: Exception) -> bool:
    """This driver, or this nvidia-ml-py, does not know the function at all."""
    return isinstance(error, AttributeError) or _name(error) == "FunctionNotFound"


def _name(error: Exception) -> str:
    # By name, since asking for the classes would import pynvml.
    return type(error).__name__.removeprefix("NVMLError_")
