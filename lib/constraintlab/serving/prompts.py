"""Text and conversations to token ids."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from constraintlab.serving.errors import ApiError
from constraintlab.serving.schema import Message

LONG = 4096
"""Characters from which a text is encoded in a thread, so that streams go on meanwhile."""


class Prompts:
    """A model's prompts. tokenizer: its own; vocab: ids are below it."""

    def __init__(self, tokenizer, vocab: int) -> None:
        self._tokenizer, self._vocab = tokenizer, vocab

    async def completion(self, prompt: str | Sequence[int]) -> list[int]:
        """Token ids of a prompt that is text, or these ids, checked."""
        if isinstance(prompt, str):
            return await self._encode(prompt, "prompt", special=True)
        for token in prompt:
            if token >= self._vocab:
                raise ApiError(
                    400,
                    f"token {token}: this model's ids are below {self._vocab}",
                    param="prompt",
                )
        return self._some(list(prompt), "prompt")

    async def chat(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a conversation, by the checkpoint's template; `plain` where it has none."""
        turns = [{"role": m.role, "content": m.text} for m in messages]
        if self._tokenizer.template is None:
            return await self._encode(plain(turns), "messages", special=True)
        try:
            text = self._tokenizer.chat(turns)
        except ValueError as error:
            raise ApiError(400, str(error), param="messages") from None
        return await self._encode(text, "messages", special=False)

    async def _encode(self, text: str, param: str, *, special: bool) -> list[int]:
        try:
            if len(text) < LONG:
                ids = self._tokenizer.encode(text, special=special)
            else:
                ids = await asyncio.to_thread(self._tokenizer.encode, text, special=special)
        except ValueError as error:
            raise ApiError(400, str(error), param=param) from None
        return self._some(ids, param)

    @staticmethod
    def _some(ids: list[int], param: str) -> list[int]:
        if not ids:
            raise ApiError(400, "the prompt has no tokens: give some text", param=param)
        return ids


def plain(turns: Sequence[dict[str, str]]) -> str:
    """The prompt of a conversation with a model that has no template of its own.

    A single message is the prompt as it stands; several are lines `role: content`, and the last
    line, `assistant: `, is the answer's to go on with.
    """
    if len(turns) == 1:
        return turns[0]["content"]
    return "".join(f"{t['role']}: {t['content']}\n" for t in turns) + "assistant: "
