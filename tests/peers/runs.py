"""The same tokens through transformers and through our decoder, in any chunks and batches."""

from dataclasses import replace

import torch

from constraintlab.engine.model.pool import KVPool
from constraintlab.engine.model.step import Chunk, Step

BLOCK = 16


def theirs(model, tokens, every=1):
    """transformers' logits, fp32, of every so many positions: 0, every, 2 · every, …"""
    rows = torch.arange(0, len(tokens), every)
    with torch.inference_mode():
        return model(torch.tensor([tokens]), logits_to_keep=rows).logits[0].float()


def ours(config, decoder, sequences, plan, every=1):
    """Logits of the same positions of each sequence, computed in the steps of `plan`.

    plan: one list per step of (sequence, new tokens); blocks are dealt out in turns, and hold NaN
    until they are written.
    """
    n, each = len(sequences), -(-max(map(len, sequences)) // BLOCK)
    pool = KVPool(config, each * n, BLOCK)
    for layer in (*pool.k, *pool.v):
        layer.fill_(float("nan"))
    blocks = [tuple(range(b, each * n, n)) for b in range(n)]
    past = [0] * n
    found = [[] for _ in range(n)]
    for step in plan:
        chunks = []
        for b, new in step:
            chunks.append(Chunk(sequences[b][past[b] : past[b] + new], past[b], blocks[b]))
            past[b] += new
        made = Step.of(chunks, BLOCK)
        rows = torch.nonzero(made.positions % every == 0)[:, 0]
        logits = decoder.forward(replace(made, wanted=rows), pool)
        owner = torch.bucketize(rows, made.cu_seqlens_q, right=True) - 1
        for i, (b, _) in enumerate(step):
            found[b].append(logits[owner == i])
    return [torch.cat(parts) for parts in found]


def rms(x, y):
    """Root mean square of the difference, over all positions and tokens."""
    return float((x - y).square().mean().sqrt())
