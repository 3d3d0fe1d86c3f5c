"""The decoder: one forward pass over a ragged batch, for every family that a configuration names.

Read `forward`: embed, then per layer attention and MLP, each normalised before and added after,
then logits for the rows that are wanted. Families differ only in what their weights contain.
"""

from __future__ import annotations

import torch

from constraintlab.attention.backends import AUTO
from constraintlab.attention.paged import RUNGS, attend_paged, prefill_paged, unchecked
from constraintlab.engine.model import glue, rungwork, work
from constraintlab.engine.model.config import ModelConfig
from constraintlab.engine.model.linear import Linear
from constraintlab.engine.model.pool import KVPool
from constraintlab.engine.model.rope import Rope
from constraintlab.engine.model.step import Step
from constraintlab.engine.model.weights import LayerWeights, Weights
from constraintlab.limits.work import Kernel


class Decoder:
    """A decoder-only transformer whose keys and values lie in a `KVPool`.

    decode, prefill: the backends of `attend_paged` and `prefill_paged`; between: that of what
    lies between the products (`glue.BACKENDS`). Chosen by what runs here unless named.
    """

    def __init__(
        self,
        config: ModelConfig,
        weights: Weights,
        *,
        decode: str = AUTO,
        prefill: str = AUTO,
        between: str = AUTO,
    ) -> None:
        self.config, self.prefill = config, prefill
        self.embedding = weights.embedding
        # Rounded to the weights' dtype, as the model was trained with it.
        self.embed_scale = torch.tensor(config.embed_scale).to(self.embedding).item()
        self.head = Linear(weights.head)
        self.glue = glue.best(self.embedding.dtype, self.embedding.device.type, between)
        self.layers = tuple(
            Layer(config, i, layer, decode, prefill, self.glue)
            for i, layer in enumerate(weights.layers)
        )
        self._norms = (*(layer.before_attention for layer in weights.layers), weights.norm)
        self._speeds = {r: _speeds(r, config, self.embedding) for r in _ropes(config)}

    @torch.inference_mode()
    def forward(self, step: Step, pool: KVPool, out: torch.Tensor | None = None) -> torch.Tensor:
        """Logits [M, vocab] in fp32 of the rows that `step.wanted` names.

        Writes the new tokens' keys and values into `pool`. out: an fp32 tensor [≥ M, vocab] to
        write into: a large one made anew in every step costs as much as a layer in page faults.
        """
        pool.check(step.slots)
        turns = {rope: _turns(step.positions, speeds) for rope, speeds in self._speeds.items()}
        x = self.embedding[step.tokens]
        if self.embed_scale != 1.0:
            x *= self.embed_scale
        normed = self.glue.norm(x, self._norms[0], self.config.eps)
        for layer, following in zip(self.layers, self._norms[1:], strict=True):
            x, normed = layer(x, normed, step, pool, turns, following)
        logits = self.head(normed[step.wanted])
        return logits.float() if out is None else out[: len(logits)].copy_(logits)

    def work(self, step: Step) -> tuple[Kernel, ...]:
        """FLOPs and bytes of `forward(step)`: what is paid once, and what per sequence."""
        counted = step.new, step.seq_lens.tolist(), len(step.wanted)
        if self.prefill not in RUNGS:
            return work.kernels(self.config, *counted)
        others = work.kernels(self.config, *counted, prompts=False)
        where = self.embedding.device.type
        return others + rungwork.kernels(self.prefill, self.config, *counted[:2], where)


class Layer:
    """Attention and MLP, each with its residual; `glue` is what lies between the products."""

    def __init__(
        self,
        config: ModelConfig,
        index: int,
        weights: LayerWeights,
        decode: str,
        prefill: str,
        glue,
    ) -> None:
        c, w = config, weights
        self.config, self.index, self.glue = c, index, glue
        self.decode, self.prefill = decode, prefill
        self.window = c.windows[index]
        self.rope = c.rope if self.window is None or c.local_rope is None else c.local_rope
        self.qkv, self.output = Linear(w.qkv, w.qkv_bias), Linear(w.output)
        self.gate_up, self.down = Linear(w.gate_up), Linear(w.down)
        self.after_attention, self.before_mlp, self.after_mlp = (
            w.after_attention, w.before_mlp, w.after_mlp,
        )  # fmt: skip
        self.qk_norm = (w.q_norm, w.k_norm) if c.qk_norm else None

    def __call__(
        self, x: torch.Tensor, normed: torch.Tensor, step: Step, pool: KVPool, turns, following
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """x after this layer, and that normalised for what follows. normed: x for attention."""
        eps = self.config.eps
        mixed = self._attention(normed, step, pool, turns[self.rope])
        x, normed = self.glue.add_norm(x, mixed, self.after_attention, self.before_mlp, eps)
        risen = self.glue.gate(self.gate_up(normed), self.config.activation)
        return self.glue.add_norm(x, self.down(risen), self.after_mlp, following, eps)

    def _attention(self, x: torch.Tensor, step: Step, pool: KVPool, turns) -> torch.Tensor:
        pools = pool.k[self.index], pool.v[self.index]
        eps = self.config.eps
        q = self.glue.turn(self.qkv(x), turns, self.qk_norm, eps, step.slots, *pools)
        return self.output(self._attend(q, step, pools).flatten(1))

    def _attend(self, q: torch.Tensor, step: Step, pools) -> torch.Tensor:
        """Sequences with one new token go through the decode kernel, the others through prefill."""
        d, total = step.decodes, step.sequences
        how = {"scale": self.config.scale, "window": self.window}
        table, lens, starts = step.block_table, step.seq_lens, step.cu_seqlens_q
        if d == total:
            return self._decode(q, (*pools, table, lens), how)
        rest = table[d:], lens[d:], starts[d:] - d
        late = prefill_paged(q[d:], *pools, *rest, **how, backend=self.prefill)
        if not d:
            return late
        return torch.cat((self._decode(q[:d], (*pools, table[:d], lens[:d]), how), late))

    def _decode(self, q: torch.Tensor, where: tuple, how: dict) -> torch.Tensor:
        # All layers have the same table and lengths: looked at once, since a look takes as long
        # as a short sequence's attention.
        if self.index:
            return unchecked(q, self.decode)(q, *where, **how)
        return attend_paged(q, *where, **how, backend=self.decode)


def _ropes(config: ModelConfig) -> list[Rope]:
    return [config.rope] + ([config.local_rope] if config.local_rope else [])


def _speeds(rope: Rope, config: ModelConfig, like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(rope.speeds(config.head_dim), dtype=torch.float64, device=like.device)


def _turns(positions: torch.Tensor, speeds: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of each position's angles, [N, 1, D]: for both halves of a head at once."""
    angles = positions[:, None, None] * speeds
    cos, sin = angles.cos().float(), angles.sin().float()
    return torch.cat((cos, cos), -1), torch.cat((-sin, sin), -1)
