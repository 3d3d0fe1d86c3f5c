"""`TorchMemory`: what torch's CUDA allocator holds, without ever waking torch or CUDA."""

from __future__ import annotations

import sys
from collections.abc import Mapping, MutableMapping
from types import ModuleType

from constraintlab.telemetry.names import under
from constraintlab.telemetry.source import Reading, all_absent


class TorchMemory:
    """GPU memory as torch sees it, on one CUDA device.

    It looks at torch only where the program has imported it and has initialised CUDA itself:
    doing either from here would cost seconds and hundreds of megabytes behind the user's back.
    On a CPU torch's allocator keeps no count, so `proc.rss_bytes` is the figure to look at.
    """

    name = "torch_memory"

    def __init__(
        self, device: int = 0, modules: MutableMapping[str, ModuleType] = sys.modules
    ) -> None:
        self.device = device
        self._modules = modules

    def read(self) -> Mapping[str, Reading]:
        torch = self._modules.get("torch")
        # While another thread is still importing torch, `torch.cuda` may not be there yet.
        cuda = getattr(torch, "cuda", None)
        if cuda is None:
            return all_absent(_NAMES, "torch is not imported")
        try:
            if not getattr(torch.version, "cuda", None) and not getattr(torch.version, "hip", None):
                why = "this torch has no CUDA, and its CPU allocator keeps no count"
                return all_absent(_NAMES, why)
            if not cuda.is_initialized():
                return all_absent(_NAMES, "nothing has used CUDA yet")
            values = (
                cuda.memory_allocated(self.device),
                cuda.memory_reserved(self.device),
                cuda.max_memory_allocated(self.device),
            )
        except Exception as error:  # CUDA reports a lost device as one of many error types
            return all_absent(_NAMES, f"torch: {' '.join(str(error).split())}")
        return dict(zip(_NAMES, map(Reading.measured, values), strict=True))

    def close(self) -> None:
        """Nothing was opened."""


_NAMES = under("torch")
