"""Text to tokens and back; while an answer streams, never half a character."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import tokenizers

BROKEN = "\ufffd"
"""What decoding gives for bytes that are no whole character, yet or ever."""

MOST_HELD = 8
"""Tokens held back for a character to become whole: it has four bytes at most, the rest is junk."""


class Tokenizer:
    """A `tokenizers.Tokenizer` with the ids that end an answer and, perhaps, a chat template."""

    def __init__(
        self,
        backend: tokenizers.Tokenizer,
        eos: Sequence[int] = (),
        template: str | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        self.backend, self.eos = backend, frozenset(eos)
        self.template, self.names = template, dict(names or {})
        added = backend.get_added_tokens_decoder().items()
        self.special = frozenset(i for i, token in added if token.special)

    @classmethod
    def load(cls, folder: str | Path) -> Tokenizer:
        """From a checkpoint's folder: tokenizer.json, and what its other files say beside it.

        Raises ValueError for a folder without a tokenizer.json, or with one that can't be read.
        """
        folder = Path(folder)
        path = folder / "tokenizer.json"
        if not path.exists():
            raise ValueError(f"{folder} has no tokenizer.json: transformers' save_pretrained and "
                             "`constraintlab convert` write one")  # fmt: skip
        try:
            backend = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises Exception itself
            raise ValueError(f"{path} can't be read: {error}") from None
        about = _json(folder / "tokenizer_config.json")
        jinja = folder / "chat_template.jinja"
        template = jinja.read_text("utf-8") if jinja.exists() else about.get("chat_template")
        ends = [_json(folder / f).get("eos_token_id") for f in ("config.json", GENERATION)]
        eos = [i for e in ends if e is not None for i in (e if isinstance(e, list) else [e])]
        named = {key: _text(about[key]) for key in ("bos_token", "eos_token") if about.get(key)}
        return cls(backend, eos, template if isinstance(template, str) else None, named)

    @property
    def vocab(self) -> int:
        """Tokens that it knows, the added ones too."""
        return self.backend.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str, *, special: bool = True) -> list[int]:
        """Token ids; special: with what the model wants around a text, such as a first token.

        Text that a chat template made has that already: give special=False.
        """
        return self.backend.encode(text, add_special_tokens=special).ids

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """The text of token ids; special: with the special ones spelled out."""
        return self.backend.decode(list(ids), skip_special_tokens=not special)

    def stream(self) -> Stream:
        """A decoder for an answer that comes token by token."""
        return Stream(self)

    def chat(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The prompt of a conversation [{"role": …, "content": …}], by the model's own template.

        Raises ValueError where the model has none, or jinja2 is not installed.
        """
        if self.template is None:
            raise ValueError("this model has no chat template: give it plain text")
        try:
            from jinja2.exceptions import TemplateError
            from jinja2.sandbox import ImmutableSandboxedEnvironment
        except ImportError:
            raise ValueError("chat templates need jinja2: pip install jinja2") from None

        def refuse(why: str) -> None:
            raise TemplateError(why)

        sandbox = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        sandbox.globals["raise_exception"] = refuse
        try:
            return sandbox.from_string(self.template).render(
                messages=list(messages), add_generation_prompt=True, **self.names
            )
        except TemplateError as error:
            raise ValueError(f"the chat template refuses these messages: {error}") from None


class Stream:
    """Text of a growing answer: `put` returns what a token adds, once its characters are whole.

    All that `put` and `finish` return, joined, is what `decode` gives for all tokens, if that is
    valid text. Only the last few tokens are decoded anew, however long the answer.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._decode, self._silent = tokenizer.decode, tokenizer.special
        self._before: list[int] = []
        self._shown = ""
        self._held: list[int] = []

    def put(self, *tokens: int) -> str:
        """Take the next tokens; what can be shown now, often their text, perhaps nothing.

        Several at once cost hardly more than one, unless a character is cut off at their end.
        """
        if len(tokens) > 1:
            fresh = [t for t in tokens if t not in self._silent]
            text = self._decode(self._before + self._held + fresh)
            if text.endswith(BROKEN):
                return "".join(map(self.put, tokens))
            self._held += fresh
            return self._show(text)
        (token,) = tokens
        if token in self._silent:
            return ""
        self._held.append(token)
        text = self._decode(self._before + self._held)
        if text.endswith(BROKEN) and len(self._held) < MOST_HELD:
            return ""
        return self._show(text)

    def finish(self) -> str:
        """What is still held back; broken characters as �."""
        return self._show(self._decode(self._before + self._held)) if self._held else ""

    def _show(self, text: str) -> str:
        """What `text` has more than was shown; a token's text may depend on the one before it."""
        new = text[len(self._shown) :]
        if new:
            self._before, self._held = self._held, []
            self._shown = self._decode(self._before)
        return new


GENERATION = "generation_config.json"


def _json(path: Path) -> dict:
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def _text(token: str | Mapping) -> str:
    """A special token's text: some files give it with its options."""
    return token if isinstance(token, str) else token["content"]
