"""The decoder: one forward pass over a ragged batch, for every family that a configuration names.

Read `forward`: embed, then per layer attention and MLP, each normalised before and added after,
then logits for the rows that are wanted. Families differ only in what their weights contain.
"""

from __future__ import annotations

import torch
from torch.nn.functional import gelu, rms_norm, silu

from constraintlab.attention.backends import AUTO
from constraintlab.attention.paged import attend_paged, prefill_paged
from constraintlab.engine.model import work
from constraintlab.engine.model.config import ModelConfig
from constraintlab.engine.model.linear import Linear
from constraintlab.engine.model.pool import KVPool
from constraintlab.engine.model.rope import Rope
from constraintlab.engine.model.step import Step
from constraintlab.engine.model.weights import LayerWeights, Weights
from constraintlab.limits.work import Kernel


class Decoder:
    """A decoder-only transformer whose keys and values lie in a `KVPool`.

    decode, prefill: the backends of `attend_paged` and `prefill_paged`, chosen by what runs here
    unless named.
    """

    def __init__(
        self, config: ModelConfig, weights: Weights, *, decode: str = AUTO, prefill: str = AUTO
    ) -> None:
        self.config = config
        self.embedding, self.norm = weights.embedding, weights.norm
        # Rounded to the weights' dtype, as the model was trained with it.
        self.embed_scale = torch.tensor(config.embed_scale).to(self.embedding).item()
        self.head = Linear(weights.head)
        self.layers = tuple(
            Layer(config, i, layer, decode, prefill) for i, layer in enumerate(weights.layers)
        )
        self._speeds = {r: _speeds(r, config, self.embedding) for r in _ropes(config)}

    @torch.inference_mode()
    def forward(self, step: Step, pool: KVPool, out: torch.Tensor | None = None) -> torch.Tensor:
        """Logits [M, vocab] in fp32 of the rows that `step.wanted` names.

        Writes the new tokens' keys and values into `pool`. out: an fp32 tensor [≥ M, vocab] to
        write into: a large one made anew in every step costs as much as a layer in page faults.
        """
        c = self.config
        turns = {rope: _turns(step.positions, speeds) for rope, speeds in self._speeds.items()}
        x = self.embedding[step.tokens]
        if self.embed_scale != 1.0:
            x *= self.embed_scale
        for layer in self.layers:
            x = layer(x, step, pool, turns)
        x = rms_norm(x[step.wanted].float(), (c.hidden,), self.norm, c.eps).to(x.dtype)
        logits = self.head(x)
        return logits.float() if out is None else out[: len(logits)].copy_(logits)

    def work(self, step: Step) -> tuple[Kernel, ...]:
        """FLOPs and bytes of `forward(step)`: what is paid once, and what per sequence."""
        new, keys = step.new, step.seq_lens.tolist()
        return work.kernels(self.config, new, keys, len(step.wanted))


class Layer:
    """Attention and MLP, each with its norms and its residual."""

    def __init__(
        self, config: ModelConfig, index: int, weights: LayerWeights, decode: str, prefill: str
    ) -> None:
        c, w = config, weights
        self.config, self.index = c, index
        self.decode, self.prefill = decode, prefill
        self.window = c.windows[index]
        self.rope = c.rope if self.window is None or c.local_rope is None else c.local_rope
        self.qkv, self.output = Linear(w.qkv, w.qkv_bias), Linear(w.output)
        self.gate_up, self.down = Linear(w.gate_up), Linear(w.down)
        self.before_attention, self.after_attention = w.before_attention, w.after_attention
        self.before_mlp, self.after_mlp = w.before_mlp, w.after_mlp
        self.qk_norm = None
        if c.qk_norm:
            heads = (w.q_norm.expand(c.heads, -1), w.k_norm.expand(c.kv_heads, -1))
            self.qk_norm = torch.cat(heads)

    def __call__(self, x: torch.Tensor, step: Step, pool: KVPool, turns) -> torch.Tensor:
        mixed = self._attention(self._norm(x, self.before_attention), step, pool, turns[self.rope])
        x = x + self._norm(mixed, self.after_attention)
        return x + self._norm(self._mlp(self._norm(x, self.before_mlp)), self.after_mlp)

    def _norm(self, x: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        """x ÷ its root mean square, in fp32, times weight; x itself where there is none."""
        if weight is None:
            return x
        return rms_norm(x.float(), weight.shape, weight, self.config.eps).to(x.dtype)

    def _attention(self, x: torch.Tensor, step: Step, pool: KVPool, turns) -> torch.Tensor:
        c = self.config
        heads = self.qkv(x).view(len(x), -1, c.head_dim)
        qk, v = heads.split((c.heads + c.kv_heads, c.kv_heads), 1)
        turning = qk.float()
        if self.qk_norm is not None:
            turning = rms_norm(turning, (c.head_dim,), None, c.eps) * self.qk_norm
        q, k = _turned(turning, *turns).to(x.dtype).split((c.heads, c.kv_heads), 1)
        pool.write(self.index, step.slots, k, v)
        return self.output(self._attend(q, step, pool).flatten(1))

    def _attend(self, q: torch.Tensor, step: Step, pool: KVPool) -> torch.Tensor:
        """Sequences with one new token go through the decode kernel, the others through prefill."""
        d, total = step.decodes, step.sequences
        pools = pool.k[self.index], pool.v[self.index]
        how = {"scale": self.config.scale, "window": self.window}
        table, lens, starts = step.block_table, step.seq_lens, step.cu_seqlens_q
        parts = []
        if d:
            parts.append(
                attend_paged(q[:d], *pools, table[:d], lens[:d], **how, backend=self.decode)
            )
        if d < total:
            rest = table[d:], lens[d:], starts[d:] - d
            parts.append(prefill_paged(q[d:], *pools, *rest, **how, backend=self.prefill))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _mlp(self, x: torch.Tensor) -> torch.Tensor:
        gate, up = self.gate_up(x).chunk(2, -1)
        gelu_tanh = self.config.activation == "gelu_tanh"
        gate = gelu(gate, approximate="tanh") if gelu_tanh else silu(gate)
        return self.down(gate.mul_(up))


def _ropes(config: ModelConfig) -> list[Rope]:
    return [config.rope] + ([config.local_rope] if config.local_rope else [])


def _speeds(rope: Rope, config: ModelConfig, like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(rope.speeds(config.head_dim), dtype=torch.float64, device=like.device)


def _turns(positions: torch.Tensor, speeds: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of each position's angles, [N, 1, D]: for both halves of a head at once."""
    angles = positions[:, None, None] * speeds
    cos, sin = angles.cos().float(), angles.sin().float()
    return torch.cat((cos, cos), -1), torch.cat((-sin, sin), -1)


def _turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Value i of a head's first half and value i of its second, turned as a pair."""
    first, second = x.chunk(2, -1)
    return torch.addcmul(x * cos, torch.cat((second, first), -1), sin)
