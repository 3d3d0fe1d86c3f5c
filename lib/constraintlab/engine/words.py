"""Made-up words for a vocabulary that has no text: a model with random weights then writes some."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice, product

import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from constraintlab.engine.tokenizer import Tokenizer

BYTES = 256
"""The first ids: a byte each, so that any text has tokens, and characters come in pieces."""

CONSONANTS, VOWELS = "bdfghklmnprstvwz", "aeiou"


def words(vocab: int) -> Tokenizer:
    """A tokenizer of `vocab` ids: bytes, then words of six bytes with the space before them.

    Six bytes of text are about what a token of English has in a real vocabulary.
    """
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    table = {text: i for i, text in enumerate(letters)}
    space = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(" ")[0][0]
    table |= {
        space + word: BYTES + i for i, word in enumerate(islice(_made_up(), max(0, vocab - BYTES)))
    }
    # No merges: a word is in the vocabulary as a whole, or it is spelled in bytes.
    table = {text: i for text, i in table.items() if i < vocab}
    backend = tokenizers.Tokenizer(models.BPE(vocab=table, merges=[], ignore_merges=True))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return Tokenizer(backend)


def _made_up() -> Iterator[str]:
    """Words of five letters, then of seven, and so on, none of them twice."""
    for n in count(2):
        for letters in product(*[CONSONANTS, VOWELS] * n, CONSONANTS):
            yield "".join(letters)
