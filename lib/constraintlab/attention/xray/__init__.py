"""The x-ray: what a compiler made of a Triton kernel, read on a machine without a GPU."""

from constraintlab.attention.xray.errors import XrayError
from constraintlab.attention.xray.report import Xray, sweep, xray, xrays
from constraintlab.attention.xray.rungs import RUNGS, target_of

__all__ = ["RUNGS", "Xray", "XrayError", "sweep", "target_of", "xray", "xrays"]
