"""The engine on which `window.between` measures what lies between kernels: all of it has room."""

from __future__ import annotations

from dataclasses import replace

from constraintlab.engine.setup import Setup

CROWD = 16
"""Sequences of the run that is held against a run of one."""

PROMPT, TOKENS, WARM = 128, 96, 4
"""Tokens of their prompts, tokens that they write, and those of a run that is not counted."""


def roomy(setup: Setup) -> Setup:
    """The same engine with nothing in the way of `CROWD` sequences, one prompt to a step."""
    blocks = CROWD * -(-(PROMPT + TOKENS) // setup.block_size)
    return replace(
        setup, kv="paged", policy="continuous", policy_options={}, slots=CROWD, blocks=blocks,
        tokens=CROWD, max_length=None,
    )  # fmt: skip


def prompt() -> list[int]:
    """Token ids that every model has."""
    return [1 + i % 8 for i in range(PROMPT)]
