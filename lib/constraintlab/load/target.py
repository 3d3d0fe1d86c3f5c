"""`Target`: the server, the model, and how each request is put to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from constraintlab.load.ask import Ask


@dataclass(frozen=True)
class Target:
    """url: the server's, without `/v1`. key: sent as a bearer token. timeout: seconds for a whole
    request. cancel_after: hang up after so many tokens. retries: how often a 429 is tried again,
    after the wait that it names. extra: fields added to every request's body.
    """

    url: str
    model: str
    chat: bool = False
    key: str | None = field(default=None, repr=False)
    timeout: float = 600.0
    cancel_after: int | None = None
    retries: int = 0
    extra: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.timeout > 0:
            raise ValueError(f"timeout={self.timeout}: give seconds above 0")
        if self.cancel_after is not None and self.cancel_after < 1:
            raise ValueError(f"cancel_after={self.cancel_after}: give 1 token or more")
        if self.retries < 0:
            raise ValueError(f"retries={self.retries}: give 0 (a 429 is final) or more")

    @property
    def endpoint(self) -> str:
        """Where requests are posted."""
        return self.url + ("/v1/chat/completions" if self.chat else "/v1/completions")

    @property
    def headers(self) -> dict[str, str]:
        """Of every request."""
        found = {"Content-Type": "application/json"}
        return found | {"Authorization": f"Bearer {self.key}"} if self.key else found

    def body(self, ask: Ask) -> bytes:
        """The request as JSON: greedy, streamed, with the usage at the end.

        ValueError for a chat about token ids.
        """
        said: dict = {"model": self.model}
        if self.chat and not isinstance(ask.prompt, str):
            raise ValueError("a chat takes text: token ids go to completions")
        if self.chat:
            said["messages"] = [{"role": "user", "content": ask.prompt}]
        else:
            said["prompt"] = ask.prompt
        said |= {
            "max_tokens": ask.output,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if ask.exact:
            said["ignore_eos"] = True
        return msgspec.json.encode(said | dict(self.extra))
