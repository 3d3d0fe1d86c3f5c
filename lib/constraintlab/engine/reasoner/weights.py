"""Where the reasoner's weights are, and its tokenizer: one token a character."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from constraintlab.engine.reasoner import collatz

ROOT = Path(__file__).resolve().parents[4]


def folder(root: Path = ROOT) -> Path:
    """`data/reasoner` of the clone; ValueError where it is not."""
    found = root / "data" / "reasoner"
    if not (found / "model.safetensors").exists():
        raise ValueError(
            f"the reasoner's weights are not in {found}: install constraintlab from a clone "
            "(`pip install -e .`), or train it: `python -m constraintlab.engine.reasoner.train "
            f"{found}` (20 minutes on 2 cores)"
        )
    return found


class Characters:
    """A tokenizer with the interface of `tokenizer.Tokenizer`."""

    eos = frozenset({collatz.END})
    special: frozenset[int] = frozenset()
    template = None
    vocab = len(collatz.ALPHABET)

    def encode(self, text: str, *, special: bool = True) -> list[int]:
        """Token ids; ValueError for a character that is none of the task's."""
        return collatz.tokens(text)

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """The text of token ids; a `�` for the model's unused ones."""
        known = collatz.ALPHABET
        return "".join(known[i] if i < len(known) else "�" for i in ids)

    def chat(self, messages) -> str:
        """ValueError: it answers no conversation."""
        raise ValueError("the reasoner has no chat template: ask it `?72000000>`")

    def stream(self) -> Characters:
        """Itself: a character is whole with its token."""
        return self

    def put(self, *tokens: int) -> str:
        """Their characters."""
        return self.decode(tokens)

    def finish(self) -> str:
        """Nothing is ever held back."""
        return ""
