"""What a laptop tells a room: the bodies, with a limit on every length, and what is wrong with one.

No time of a laptop's is in them: clocks differ. What a laptop told last is told by `seq`, a count
that it keeps.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

MOST_ITEMS = 50
BODY = 32 * 1024
"""Bytes of a body at most."""

Token = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
Short = Annotated[str, Meta(min_length=1, max_length=16, pattern="^[A-Za-z0-9_ -]+$")]
Text = Annotated[str, Meta(max_length=120)]
Code = Annotated[str, Meta(max_length=16)]


class Laptop(msgspec.Struct, forbid_unknown_fields=True):
    """A laptop in words: cores, instruction set, and whether the labs run on its GPU."""

    cores: Annotated[int, Meta(ge=1, le=4096)]
    isa: Annotated[str, Meta(max_length=16)] = ""
    device: Literal["cpu", "cuda"] = "cpu"


class Join(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /api/join`."""

    code: Code
    token: Token
    laptop: Laptop | None = None


class Item(msgspec.Struct, forbid_unknown_fields=True):
    """One thing that a laptop tells. Which fields count depends on the kind:

    prediction: lab, key, text (the option chosen)
    measurement: lab, key, text (the option that was measured), value (in the question's unit)
    finish: lab, text (the constraint's name as in `Resource`, or empty)
    """

    kind: Literal["prediction", "measurement", "finish"]
    lab: Short
    seq: Annotated[int, Meta(ge=1, le=2**53)]
    key: Short | None = None
    text: Text = ""
    value: float | None = None

    def __post_init__(self) -> None:
        if self.kind != "finish" and self.key is None:
            raise ValueError(f"a {self.kind} needs a key")
        if self.value is not None and not (0 < self.value < 1e18 and math.isfinite(self.value)):
            raise ValueError("a value must be over 0 and finite: it stands on a log axis")


class Tell(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /api/tell`. Each item is looked at by itself: a bad one keeps no other out."""

    code: Code
    token: Token
    items: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=MOST_ITEMS)]


class Instruct(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /api/instruct`, with the instructor's key: show a question, reveal it, or hide what
    was revealed."""

    do: Literal["open", "reveal", "hide"]
    lab: Short
    key: Short


class Bad(ValueError):
    """A body that is no message; the text says what is wrong."""


def read(body: bytes, kind: type):
    """The message in a body. Raises Bad."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError, ValueError, RecursionError) as error:
        raise Bad(str(error)) from None


def item(raw: msgspec.Raw) -> Item:
    """One item of a Tell. Raises Bad."""
    return read(bytes(raw), Item)


def seq_of(raw: msgspec.Raw) -> int | None:
    """What a bad item calls itself, so that its sender knows which was refused."""
    try:
        found = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None
    seq = found.get("seq") if isinstance(found, dict) else None
    return seq if isinstance(seq, int) else None
