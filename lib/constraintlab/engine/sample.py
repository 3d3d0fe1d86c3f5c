"""Drawing tokens from logits: greedy, temperature, top-p, each request with a seed of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from constraintlab.engine.request import Request

FEW = 256
"""Most likely tokens that are tried before a whole vocabulary is sorted for a top-p cut."""


class Sampler:
    """Draws for a batch. entropy: what stands for a seed where a request has none.

    The random number for a request's token depends on its seed and the token's place alone, so
    an answer is the same whatever else runs, and after a preemption.
    """

    def __init__(self, entropy: int | None = None) -> None:
        self._entropy = np.random.SeedSequence(entropy).entropy

    def draw(self, logits: torch.Tensor, requests: Sequence[Request]) -> list[int]:
        """A token for each row of logits [M, vocab]."""
        tokens = logits.argmax(-1).tolist()
        for row, request in enumerate(requests):
            s = request.sampling
            if s.temperature:
                weights = torch.softmax(logits[row].double() / s.temperature, -1)
                tokens[row] = _pick(weights, s.top_p, self.uniform(request))
        return tokens

    def uniform(self, request: Request) -> float:
        """The request's number in [0, 1) for its next token."""
        seed = request.sampling.seed
        key = (self._entropy, hash(str(request.id)) & (2**63 - 1)) if seed is None else (seed,)
        key = tuple(k & (2**64 - 1) for k in key)
        return float(np.random.default_rng((len(request.output), *key)).random())


def _pick(weights: torch.Tensor, top_p: float, u: float) -> int:
    """The token at `u` of the way through the smallest set that has `top_p` of the weight.

    Without a cut tokens are gone through in the vocabulary's order, with one the likeliest first.
    """
    order = None
    if top_p < 1:
        kept, order = weights.topk(min(FEW, len(weights)))
        if kept.sum() < top_p:
            kept, order = weights.sort(descending=True, stable=True)
        before = kept.cumsum(0) - kept
        weights = kept[before < top_p]
    sums = weights.cumsum(0)
    place = int(torch.searchsorted(sums, u * sums[-1], right=True))
    place = min(place, len(weights) - 1)
    return place if order is None else int(order[place])
