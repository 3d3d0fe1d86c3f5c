"""Bodies of requests: their shape, checked by msgspec, and what they ask of the engine."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from constraintlab.serving.errors import ApiError

Count = Annotated[int, Meta(ge=1, le=2**31)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Token = Annotated[int, Meta(ge=0, le=2**31)]
Stops = Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(max_length=16)]


class StreamOptions(Struct, kw_only=True):
    """How a stream counts its tokens."""

    include_usage: bool = False
    continuous_usage_stats: bool = False


class Common(Struct, kw_only=True):
    """What both kinds of request have. Fields that would change the answer and that this server
    has not are refused by `check`; others that it doesn't know are ignored."""

    model: str | None = None
    max_tokens: Count | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    seed: Seed | None = None
    stop: str | Stops | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Count | None = None
    ignore_eos: bool = False
    best_of: int | None = None
    logprobs: Any = None
    top_logprobs: Any = None
    logit_bias: Any = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


class CompletionRequest(Common, kw_only=True):
    """The body of /v1/completions. prompt: text, token ids, or a list with one of these."""

    prompt: str | list[str | Token | list[Token]]
    echo: bool | None = None
    suffix: str | None = None

    @property
    def text(self) -> str | list[int]:
        """The one prompt."""
        prompt = self.prompt
        if isinstance(prompt, str):
            return prompt
        if not prompt:
            raise ApiError(400, "the prompt is empty: give text or token ids", param="prompt")
        if all(isinstance(p, int) for p in prompt):
            return prompt
        if len(prompt) > 1:
            raise ApiError(
                400, f"{len(prompt)} prompts in one request: send each in its own", param="prompt"
            )
        return prompt[0]

    @property
    def most(self) -> int | None:
        """Output tokens at most; OpenAI's default for completions."""
        return self.max_tokens or 16


class Part(Struct):
    """A piece of a message."""

    type: str
    text: str | None = None


class Message(Struct):
    """One turn of a conversation."""

    role: Annotated[str, Meta(min_length=1, max_length=64)]
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """Its content; ApiError for anything but text."""
        if not isinstance(self.content, list):
            return self.content or ""
        for part in self.content:
            if part.type != "text" or part.text is None:
                raise ApiError(
                    400, f"content of type {part.type!r}: this server reads text", param="messages"
                )
        return "".join(part.text for part in self.content)


class ChatRequest(Common, kw_only=True):
    """The body of /v1/chat/completions."""

    messages: Annotated[list[Message], Meta(min_length=1)]
    max_completion_tokens: Count | None = None
    tools: list[Any] | None = None
    response_format: Any = None

    @property
    def most(self) -> int | None:
        """Output tokens at most; None: as many as there is room for."""
        return self.max_completion_tokens or self.max_tokens


ABSENT = {
    "n": (None, 1),
    "best_of": (None, 1),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
    "logit_bias": (None, {}),
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "echo": (None, False),
    "suffix": (None, ""),
    "tools": (None, []),
    "response_format": (None, {"type": "text"}),
}
"""Fields that must be as if they were not there."""

_AT = re.compile(r" - at `\$\.?(.*)`$", re.S)


def decode(body: bytes, kind: type[Common]) -> Any:
    """The request in a body; ApiError 400 that names the field."""
    try:
        found = msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        message = str(error)
        at = _AT.search(message)
        missing = re.search(r"missing required field `(\w+)`", message)
        param = missing.group(1) if missing else at.group(1) if at else None
        where = f"{param}: " if param else ""
        raise ApiError(400, where + _AT.sub("", message), param=param or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"the body is no JSON: {error}", code="invalid_json") from None
    for name, allowed in ABSENT.items():
        value = getattr(found, name, None)
        if value not in allowed:
            raise ApiError(
                400,
                f"{name}={value!r}: this server does not support it; leave it out",
                param=name,
                code="unsupported",
            )
    if found.stream_options is not None and not found.stream:
        raise ApiError(400, "stream_options are for stream=true", param="stream_options")
    return found
