"""What the reasoner learns from: pieces of chains from anywhere, then whole answers."""

from __future__ import annotations

import numpy as np

from constraintlab.engine.reasoner.collatz import ALPHABET, END, WIDTH, answer, prompt, starts

HELD_OUT = 20
"""Every start whose hash is 0 modulo this is kept for the test and never asked in training."""

NUMBER, ASK = ALPHABET.index(">"), ALPHABET.index("?")
STRIDE = WIDTH + 1


def held_out(n: int) -> bool:
    """Whether `n` is kept for the test: a fixed choice that no seed changes."""
    return (n * 2654435761 >> 8) % HELD_OUT == 0


def split() -> tuple[list[int], list[int]]:
    """(starts to learn from, starts kept for the test)."""
    everything = starts()
    return (
        [n for n in everything if not held_out(n)],
        [n for n in everything if held_out(n)],
    )


def pieces(rng: np.random.Generator, batch: int, numbers: int) -> np.ndarray:
    """[batch, numbers · STRIDE] ids: consecutive numbers of chains that start anywhere.

    Starts are log-uniform up to the largest of `WIDTH` digits, so that every length of carry is
    met. A chain that would need more digits, or reaches 1, goes on from a new start.
    """
    limit = 10**WIDTH
    n = np.exp(rng.uniform(0, np.log(limit), batch)).astype(np.int64)
    out = np.empty((batch, numbers, STRIDE), np.int64)
    powers = 10 ** np.arange(WIDTH)
    for i in range(numbers):
        out[:, i, :WIDTH] = n[:, None] // powers % 10
        out[:, i, WIDTH] = np.where(n == 1, END, NUMBER)
        after = np.where(n % 2 == 1, 3 * n + 1, n // 2)
        fresh = np.exp(rng.uniform(0, np.log(limit), batch)).astype(np.int64)
        n = np.where((n == 1) | (after >= limit), fresh, after)
    return out.reshape(batch, -1)


def learnable(ids: np.ndarray) -> np.ndarray:
    """Which tokens of `pieces` follow from those before: all but a number that came anew."""
    numbers = ids.reshape(len(ids), -1, STRIDE)
    values = (numbers[..., :WIDTH] * 10 ** np.arange(WIDTH)).sum(-1)
    n = values[:, :-1]
    follows = values[:, 1:] == np.where(n % 2 == 1, 3 * n + 1, n // 2)
    known = np.concatenate([np.zeros((len(ids), 1), bool), follows & (n != 1)], 1)
    mask = np.repeat(known[..., None], STRIDE, -1)
    return mask.reshape(len(ids), -1)


def whole(chosen: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """(ids, mask) of prompts with their answers, padded to the longest; the mask is the answer."""
    texts = [prompt(n) + answer(n) for n in chosen]
    width, asked = max(map(len, texts)), WIDTH + 2
    ids = np.full((len(texts), width), END, np.int64)
    mask = np.zeros(ids.shape, bool)
    table = np.zeros(128, np.int64)
    for i, c in enumerate(ALPHABET):
        table[ord(c)] = i
    for row, text in enumerate(texts):
        ids[row, : len(text)] = table[np.frombuffer(text.encode(), np.uint8)]
        mask[row, asked : len(text)] = True
    return ids, mask
