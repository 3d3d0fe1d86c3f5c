"""The engine on which `window.between` measures what lies between kernels: all of it has room."""

from __future__ import annotations

from dataclasses import replace

from constraintlab.engine.setup import Setup

CROWD = 16
"""Sequences of the run that is held against a run of one."""

PROMPT, TOKENS, WARM = 128, 96, 4
"""Tokens of their prompts, tokens that they write, and those of a run that is not counted."""

LONG = 4
"""Prompts of a run of longer ones."""


def roomy(setup: Setup, longest: int = PROMPT) -> Setup:
    """The same engine with nothing in the way of `CROWD` sequences, or of `LONG` prompts of that
    many tokens; one prompt to a step."""
    held = max(CROWD * (PROMPT + TOKENS), LONG * (longest + 1) + LONG * setup.block_size)
    blocks = -(-held // setup.block_size) + CROWD
    return replace(
        setup, kv="paged", policy="continuous", policy_options={}, slots=CROWD, blocks=blocks,
        tokens=CROWD, max_length=None,
    )  # fmt: skip


def prompt(tokens: int = PROMPT) -> list[int]:
    """Token ids that every model has."""
    return [1 + i % 8 for i in range(tokens)]
