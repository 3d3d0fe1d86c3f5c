"""`Asked`: a request on its way through the tiers. No tensors: a gateway does without torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from constraintlab.engine.request import Request, Sampling


@dataclass(frozen=True)
class Asked:
    """A request on its way through the tiers. output: tokens that it has got so far, more than
    none where a tier that had it is gone."""

    prompt: tuple[int, ...]
    sampling: Sampling
    output: tuple[int, ...] = ()

    def prompted(self) -> Request:
        """What a prefill engine is given: all that is there to compute, and one token to draw."""
        sampling = replace(self.sampling, max_tokens=len(self.output) + 1, stop=(), stop_tokens=())
        return Request(0, self.prompt, sampling, output=list(self.output))

    def continued(self) -> Request:
        """What a decode engine adopts."""
        return Request(0, self.prompt, self.sampling, output=list(self.output))
