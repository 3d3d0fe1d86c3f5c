"""Train the reasoner: `python -m constraintlab.engine.reasoner.train data/reasoner`.

Short pieces of chains first, where the arithmetic is learnt; then whole answers, of ever more
tokens, where it learns to look the right number of places back among thousands.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from constraintlab.engine.reasoner import data
from constraintlab.engine.reasoner.network import CONFIG, Network

SEED = 20260401
TOKENS = 8192
"""Of a step."""

PIECES, WHOLE = 1500, 900
"""Steps of the two parts."""

PEAK, FLOOR = 4e-3, 2e-5
"""Learning rates: after the warm-up, and at the end."""


def rate(step: int, steps: int, warm: int = 100) -> float:
    """Warm-up, then a cosine from `PEAK` down to `FLOOR`."""
    if step < warm:
        return PEAK * (step + 1) / warm
    done = (step - warm) / (steps - warm)
    return FLOOR + (PEAK - FLOOR) * (1 + np.cos(np.pi * done)) / 2


def batch(rng: np.random.Generator, step: int, learn: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """(ids, mask) of one step's tokens; the mask says which are learnt."""
    if step < PIECES:
        numbers = 15
        ids = data.pieces(rng, TOKENS // (numbers * data.STRIDE), numbers)
        return ids, data.learnable(ids)
    # Answers of like length together: padding is wasted work.
    pool = sorted(rng.choice(learn, 64), key=data.starts().get)
    first = rng.integers(len(pool))
    tokens = data.starts()[pool[first]] + 10
    some = pool[first : first + max(1, TOKENS // tokens)]
    return data.whole(some)


def train(say=print, pieces: int = PIECES, whole: int = WHOLE) -> Network:
    """The trained network; the same seed and the same torch give the same weights on a machine."""
    torch.manual_seed(SEED)
    rng, net = np.random.default_rng(SEED), Network()
    learn, _ = data.split()
    decay = [p for p in net.parameters() if p.ndim > 1]
    plain = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.98))
    steps, start = pieces + whole, time.perf_counter()
    for step in range(steps):
        ids, mask = (torch.from_numpy(a) for a in batch(rng, step, learn))
        for group in optimiser.param_groups:
            group["lr"] = rate(step, steps)
        logits = net(ids[:, :-1])[mask[:, 1:]]
        wanted = ids[:, 1:][mask[:, 1:]]
        loss = F.cross_entropy(logits, wanted)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        if step % 100 == 99:
            wrong = (logits.argmax(-1) != wanted).sum().item()
            say(
                f"step {step + 1}/{steps}, {time.perf_counter() - start:.0f} s: loss "
                f"{loss.item():.2e}, {wrong} of {len(wanted)} tokens wrong"
            )
    return net.eval()


@torch.inference_mode()
def right(net: Network, chosen: list[int]) -> list[bool]:
    """For each start whether greedy decoding writes its answer to the last token.

    One pass over the true answer tells: greedy text first differs where the true text's most
    likely next token does.
    """
    found = []
    for n in chosen:
        ids, mask = (torch.from_numpy(a) for a in data.whole([n]))
        best = net(ids[:, :-1]).argmax(-1)
        found.append(bool((best == ids[:, 1:])[mask[:, 1:]].all()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="where config.json and the weights go")
    parser.add_argument("--test", type=int, default=1000, help="held-out starts to check")
    options = parser.parse_args()
    from safetensors.torch import save_file

    net = train()
    _, test = data.split()
    chosen = np.random.default_rng(1).permutation(test)[: options.test].tolist()
    ok = right(net, chosen)
    print(f"{sum(ok)} of {len(ok)} held-out answers right to the last token")
    options.folder.mkdir(parents=True, exist_ok=True)
    save_file(net.tensors(), options.folder / "model.safetensors")
    (options.folder / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n")


if __name__ == "__main__":
    main()
