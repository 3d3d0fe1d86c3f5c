"""A decoder layer as Llama has it, with random weights: lab 03 looks at what is not attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from constraintlab.attention.rung import Shape
from constraintlab.limits.work import Kernel, Work

DIM = 64
"""Of one head."""
EPS = 1e-5


@dataclass(frozen=True)
class Layer:
    """Weights of one layer: attention over `width` / 64 heads, then a SwiGLU of 2¾ · width.

    qkv [3·width, width], out [width, width], gate_up [2·hidden, width], down [width, hidden],
    two norms [width]. Shapes as in Llama (Touvron et al. 2023), all heads with KV of their own.
    """

    qkv: torch.Tensor
    out: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor
    norms: torch.Tensor

    @classmethod
    def random(
        cls, width: int, *, dtype: torch.dtype = torch.float32, device: str = "cpu", seed: int = 0
    ) -> Layer:
        """Weights whose outputs keep their inputs' size. ValueError if `width` is no heads."""
        if width % DIM:
            raise ValueError(f"width {width}: give a multiple of {DIM}, the size of a head")
        g = torch.Generator().manual_seed(seed)
        hidden = 11 * width // 4

        def matrix(rows, columns):
            return (torch.randn(rows, columns, generator=g) / columns**0.5).to(device, dtype)

        return cls(
            matrix(3 * width, width), matrix(width, width), matrix(2 * hidden, width),
            matrix(width, hidden), torch.ones(2, width, dtype=dtype, device=device),
        )  # fmt: skip

    @property
    def width(self) -> int:
        return self.out.shape[0]

    @property
    def weights(self) -> tuple[torch.Tensor, ...]:
        return self.qkv, self.out, self.gate_up, self.down

    @property
    def nbytes(self) -> int:
        """Bytes of the four matrices, which every step reads."""
        return sum(w.nbytes for w in self.weights)

    def to(self, dtype: torch.dtype) -> Layer:
        return Layer(*(t.to(dtype) for t in (*self.weights, self.norms)))


@dataclass(frozen=True)
class Past:
    """Keys and values so far, [1, heads, room, 64], of which the first `length` are filled."""

    k: torch.Tensor
    v: torch.Tensor
    length: int

    @classmethod
    def empty(cls, layer: Layer, room: int, length: int = 0) -> Past:
        """`length` positions filled with small random values."""
        shape = (1, layer.width // DIM, room, DIM)
        k, v = (torch.zeros(shape, dtype=layer.out.dtype, device=layer.out.device) for _ in "kv")
        k[:, :, :length].normal_(std=0.1)
        v[:, :, :length].normal_(std=0.1)
        return cls(k, v, length)

    def put(self, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new keys and values [1, heads, T, 64] behind those so far; returns all of them."""
        end = self.length + k.shape[2]
        self.k[:, :, self.length : end] = k
        self.v[:, :, self.length : end] = v
        return self.k[:, :, :end], self.v[:, :, :end]


def angles(length: int, new: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(cos, sin) [new, 64] of rotary positions length … length + new (Su et al. 2021)."""
    rates = 10_000.0 ** (-torch.arange(0, DIM, 2) / DIM)
    turns = torch.arange(length, length + new)[:, None] * rates.repeat(2)
    return turns.cos().to(like), turns.sin().to(like)


def _rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


def _norm(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * weight


def many_kernels(
    layer: Layer, x: torch.Tensor, past: Past, turns: tuple, attend: Callable
) -> torch.Tensor:
    """One layer on x [T, width] as model code is usually written: an operation for each idea."""
    width, new = layer.width, x.shape[0]
    hidden = _norm(x, layer.norms[0])
    q, k, v = (F.linear(hidden, w) for w in layer.qkv.split(width))
    q, k, v = (t.view(new, -1, DIM).transpose(0, 1)[None] for t in (q, k, v))
    q, k = _rotated(q, *turns), _rotated(k, *turns)
    mixed = attend(q, *past.put(k, v))
    x = x + F.linear(mixed[0].transpose(0, 1).reshape(new, width), layer.out)
    hidden = _norm(x, layer.norms[1])
    gate, up = (F.linear(hidden, w) for w in layer.gate_up.chunk(2))
    return x + F.linear(F.silu(gate) * up, layer.down)


def few_kernels(
    layer: Layer, x: torch.Tensor, past: Past, turns: tuple, attend: Callable
) -> torch.Tensor:
    """The same layer with what belongs together in one operation: one product for q, k and v."""
    width, new = layer.width, x.shape[0]
    hidden = F.rms_norm(x, (width,), layer.norms[0], EPS)
    qkv = F.linear(hidden, layer.qkv).view(new, 3, -1, DIM).permute(1, 2, 0, 3)
    q, k = _rotated(qkv[:2], *turns).unsqueeze(1)
    mixed = attend(q, *past.put(k, qkv[2:]))
    x = torch.addmm(x, mixed[0].transpose(0, 1).reshape(new, width), layer.out.mT)
    hidden = F.rms_norm(x, (width,), layer.norms[1], EPS)
    gate, up = F.linear(hidden, layer.gate_up).chunk(2, -1)
    return torch.addmm(x, F.silu(gate).mul_(up), layer.down.mT)


def shape_of(layer: Layer, new: int, context: int) -> Shape:
    """The attention problem of `new` tokens after `context` others."""
    heads = layer.width // DIM
    return Shape(1, heads, heads, new, context + new, DIM, layer.out.dtype, layer.out.device.type)


def linear_work(layer: Layer, new: int) -> Kernel:
    """The products with weights: 2 FLOPs a weight and token, every weight read once."""
    weights = sum(w.numel() for w in layer.weights)
    item = layer.out.itemsize
    moved = new * item * (2 * layer.width * 4 + 3 * layer.down.shape[1])
    unit = str(layer.out.dtype).removeprefix("torch.")
    return Kernel("linear layers", Work(2.0 * weights * new, layer.nbytes + moved), unit=unit)
