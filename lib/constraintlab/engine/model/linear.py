"""A product with weights that stay: x·wᵀ + b, the weights in the order in which a CPU reads them.

oneDNN, which torch multiplies bf16 with, wants weights in tiles of its own. Given rows it makes the
tiles anew in every call: at one row that takes longer than the product, which then reads weights at
two thirds of what memory gives. So they are reordered once, when a model is built.

oneDNN also makes and keeps code, half a megabyte of it, for each number of rows that it meets, and
prompts come in all lengths: 300 different ones took 500 MB and five times as long as padded ones.
So rows beyond `ROWS` come in multiples of it.
"""

from __future__ import annotations

from functools import cache

import torch

ROWS = 32
"""Rows of x that the order is chosen for; on the CPUs tried, 1 to 512 rows get the same one. More
rows than this are filled up with zeros to a multiple of it."""


class Linear:
    """y [N, out] = x [N, in] · weight [out, in]ᵀ + bias. `packed` says which way it is computed."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        self.bias = bias
        self.reason = _lacks(weight.dtype, weight.device.type)
        self.packed = not self.reason
        self.weight = weight.detach().contiguous()
        if self.packed:
            self.weight = torch.ops.mkldnn._reorder_linear_weight(self.weight, ROWS)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if self.packed:
            rows = len(x)
            if rows > ROWS and rows % ROWS:
                x = torch.nn.functional.pad(x, (0, 0, 0, -rows % ROWS))
            y = _product()(x, self.weight, self.bias, "none", [], "")
            return y if len(y) == rows else y[:rows]
        return torch.nn.functional.linear(x, self.weight, self.bias)


@cache
def _product():
    """The operation, found once: to look it up in each call takes a tenth of a short product."""
    return torch.ops.mkldnn._linear_pointwise.default


@cache
def _lacks(dtype: torch.dtype, device: str) -> str:
    """Why weights can't be packed here; empty when they can. Tried out, not looked up."""
    if device != "cpu":
        return f"weights are on {device}"
    try:
        weight, x = torch.eye(16, dtype=dtype), torch.ones(2, 16, dtype=dtype)
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS)
        y = torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")
    except (AttributeError, RuntimeError, NotImplementedError, TypeError) as error:
        return f"this torch has no packed {dtype} products: {str(error).splitlines()[0]}"
    return "" if torch.equal(y, x) else "packed products are wrong here"
