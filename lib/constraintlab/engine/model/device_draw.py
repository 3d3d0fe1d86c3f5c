"""Drawing tokens on a device: all rows at once, and nothing that the host would wait for.

`Sampler.draw` goes row by row and looks at what it has computed, which on a GPU is a wait each
time. These are the same draws: equal weights and numbers give equal tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from constraintlab.engine.request import Request


def draw(
    logits: torch.Tensor,
    requests: Sequence[Request],
    uniform: Callable[[Request], float],
    send: Callable[[np.ndarray], torch.Tensor],
) -> torch.Tensor:
    """A token int64 [M] for each row of logits [M, vocab], on their device.

    uniform: a request's number in [0, 1); send: an array to the device without a wait.
    """
    tokens = logits.argmax(-1)
    plain, cut = [], []
    for row, request in enumerate(requests):
        s = request.sampling
        if s.temperature:
            some = cut if s.top_p < 1 else plain
            some.append((row, s.temperature, s.top_p, uniform(request)))
    for some, pick in ((plain, _any), (cut, _likely)):
        if some:
            rows, temperatures, shares, places = send(np.array(some)).unbind(1)
            rows = rows.long()
            weights = torch.softmax(logits[rows].double() / temperatures[:, None], -1)
            tokens.index_copy_(0, rows, pick(weights, shares, places))
    return tokens


def _any(weights: torch.Tensor, _: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """The tokens at u of the way through the vocabulary, in its order."""
    return _at(weights, u)


def _likely(weights: torch.Tensor, top_p: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """At u of the way through the smallest sets that have top_p of the weight, likeliest first."""
    kept, order = weights.sort(descending=True, stable=True)
    before = kept.cumsum(-1) - kept
    kept = torch.where(before < top_p[:, None], kept, 0.0)
    return order.gather(1, _at(kept, u)[:, None])[:, 0]


def _at(weights: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """Of each row the first place at which its running sum is beyond u of the whole."""
    sums = weights.cumsum(-1)
    whole = sums[:, -1:]
    place = torch.searchsorted(sums, u[:, None] * whole, right=True)
    # The last weight that is not 0, where rounding would go beyond it.
    last = (sums < whole).sum(-1, keepdim=True)
    return torch.minimum(place, last)[:, 0]
