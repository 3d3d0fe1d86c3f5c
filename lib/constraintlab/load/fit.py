"""Fit the shipped profiles to the published traces: `python -m constraintlab.load.fit [FOLDER]`.

Needs the traces (CONSTRAINTLAB_TRACES) and writes one JSON file a profile into `data/profiles`.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from constraintlab.load import profiles, traces

MOST = 8
"""Parts of a mixture: the fewest that are near enough, else the nearest."""

NEAR = {"ks": 0.025, "mean": 0.02, "p50": 0.03, "p99": 0.03}
"""Near enough: the Kolmogorov-Smirnov distance, and figures as a share of the trace's."""

TAILS = (1.0, 2.0, 4.0)
"""How finely the start cuts the long end: parts begin with equal shares, or the last with less."""

ROUNDS = 400


def em(
    values: np.ndarray, weights: np.ndarray, k: int, tail: float
) -> list[tuple[float, float, float]]:
    """k lognormal parts by expectation-maximisation from shares of the ordered values.

    Source: Dempster, Laird, Rubin (1977), for normal parts of the logarithm.
    """
    x, w = np.log(values), weights / weights.sum()
    middle, centres = np.cumsum(w) - w / 2, 1 - (1 - (np.arange(k) + 0.5) / k) ** tail
    share = np.eye(k)[np.abs(middle[:, None] - centres).argmin(1)].T
    for _ in range(ROUNDS):
        mass = share @ w
        mean = (share * x) @ w / mass
        # Rounding to whole tokens alone spreads a length by 1/√12 of a token.
        least = 1 / np.exp(mean) / math.sqrt(12)
        deviation = np.sqrt((share * (x - mean[:, None]) ** 2) @ w / mass + least**2)
        z = (x - mean[:, None]) / deviation[:, None]
        log = np.log(mass / deviation)[:, None] - z**2 / 2
        share = np.exp(log - log.max(0))
        share /= share.sum(0)
    parts = zip(mass, mean, deviation, strict=True)
    return sorted(((float(a), float(b), float(c)) for a, b, c in parts), key=lambda p: p[1])


def cdf(parts: Sequence[tuple[float, float, float]], low: int, high: int) -> np.ndarray:
    """Of low … high: the chance of a draw of `profiles.Lengths` up to each."""
    edges = np.log(np.arange(low, high + 2) - 0.5)
    erf = np.vectorize(math.erf)
    total = sum(w / 2 * (1 + erf((edges - m) / s / math.sqrt(2))) for w, m, s in parts)
    return (total[1:] - total[0]) / (total[-1] - total[0])


def lengths(values: np.ndarray, weights: np.ndarray) -> dict:
    """A profile's lengths as JSON; error: its distance, and how far (as a share) figures are."""
    order = np.argsort(values)
    values, weights = values[order], weights[order] / weights.sum()
    low, high = int(values[0]), int(values[-1])
    real = np.zeros(high - low + 1)
    np.add.at(real, values.astype(int) - low, weights)
    real = np.cumsum(real)
    starts = [(k, tail) for k in range(1, MOST + 1) for tail in TAILS]
    best: tuple = (math.inf, [], {})
    for k, tail in starts:
        parts = em(values, weights, k, tail)
        error = errors(cdf(parts, low, high), real, low)
        far = max(abs(error[name]) / near for name, near in NEAR.items())
        best = min(best, (far, parts, error), key=lambda b: b[0])
        if far <= 1:
            break
    _, parts, error = best
    rounded = [[float(f"{x:.5g}") for x in part] for part in parts]
    return {
        "parts": rounded,
        "low": low,
        "high": high,
        "error": {name: round(x, 4) for name, x in error.items()},
    }


def errors(ours: np.ndarray, real: np.ndarray, low: int) -> dict[str, float]:
    """Of one cumulative distribution against another, both from `low` tokens on."""
    tokens = low + np.arange(len(real))
    found = {"ks": float(np.abs(ours - real).max())}
    for name, of in (
        ("mean", lambda c: tokens @ np.diff(c, prepend=0.0)),
        ("p50", lambda c: tokens[np.searchsorted(c, 0.5)]),
        ("p99", lambda c: tokens[np.searchsorted(c, 0.99)]),
    ):
        found[name] = float(of(ours) / of(real)) - 1
    return found


def counted(values: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Different values and how often each is there; a length of 0 counts as 1."""
    return np.unique(np.maximum(values, 1), return_counts=True)


def pmf(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Values and weights of one of ServeGen's distributions."""
    table = np.loadtxt(traces.path(name), delimiter=",", skiprows=1)
    return np.maximum(table[:, 0], 1), table[:, 1]


def ranks(asked: Sequence[traces.Asked]) -> float:
    """Spearman's rank correlation of prompt and answer lengths."""

    def ranked(values: Sequence[int]) -> np.ndarray:
        _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
        return (np.cumsum(counts) - counts / 2)[inverse]

    found = np.corrcoef(ranked([a.prompt for a in asked]), ranked([a.output for a in asked]))
    return round(float(found[0, 1]), 3)


def azure(name: str, about: str) -> dict:
    """A profile of an Azure trace."""
    asked = traces.azure(name)
    gaps = np.diff([a.at for a in asked])
    return {
        "about": about,
        "source": f"{name} ({len(asked):,} requests) of {traces.ORIGINS['azure']}",
        "arrivals": {"rate": round(float(1 / gaps.mean()), 3),
                     "cv": round(float(gaps.std() / gaps.mean()), 2)},
        "rank_correlation": ranks(asked),
        "prompt": lengths(*counted([a.prompt for a in asked])),
        "output": lengths(*counted([a.output for a in asked])),
    }  # fmt: skip


def reasoning() -> dict:
    """DeepSeek-R1's traffic: thoughts and answers together."""
    said = "servegen_deepseek-r1_{}_tokens_pooled_pmf.csv"
    return {
        "about": "questions to a reasoning model: short prompts, answers with a long tail",
        "source": f"DeepSeek-R1's lengths, pooled over clients by rate, of "
        f"{traces.ORIGINS['servegen']}",
        "arrivals": {"rate": 16.0, "cv": None},
        "rank_correlation": None,
        "prompt": lengths(*pmf(said.format("input"))),
        "output": lengths(*pmf(said.format("output"))),
    }


def stress() -> dict:
    """Made up: the mix whose convoy can be computed by hand."""

    def only(*tokens: tuple[float, int]) -> dict:
        parts = [[w, round(math.log(n), 6), 0.0] for w, n in tokens]
        return {"parts": parts, "low": tokens[0][1], "high": tokens[-1][1], "error": {}}

    return {
        "about": "made up: nine answers of 2,048 tokens to each one of 32,768 (CV² about 3.2)",
        "source": "no trace",
        "arrivals": {"rate": None, "cv": None},
        "rank_correlation": 0.0,
        "prompt": only((1.0, 512)),
        "output": only((0.9, 2048), (0.1, 32768)),
    }


def _json(profile: dict) -> str:
    """One line a field, so that a diff can be read."""
    lines = (f" {json.dumps(key)}: {json.dumps(x, ensure_ascii=False)}" for key, x in
             profile.items())  # fmt: skip
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(folder: Path) -> None:
    """Write every profile."""
    made = {
        "chat": azure(traces.CONVERSATION, "conversations with a general assistant"),
        "code": azure(traces.CODE, "code completion: long prompts, short answers"),
        "reasoning": reasoning(),
        "stress": stress(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, profile in made.items():
        (folder / f"{name}.json").write_text(_json(profile), "utf-8")
        print(name, {part: profile[part]["error"] for part in ("prompt", "output")})


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else profiles.ROOT / "data" / "profiles")
