"""A laptop's membership of a room: where it is, this laptop's token there, and what is unsent.

A file of its own beside the learner's progress: the token goes nowhere with a progress or passport.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from constraintlab.limits.home import home
from constraintlab.limits.keeping import locked, write

MOST_UNSENT = 500


class RoomError(ValueError):
    """A room that can't be joined; the text says what to do."""


@dataclass(frozen=True)
class Place:
    """`CODE@host:port`, as the screen shows it."""

    code: str
    host: str
    port: int

    @classmethod
    def of(cls, text: str) -> Place:
        """Raises RoomError for what is no such text; dashes, spaces and case in a code are free."""
        code, at, where = text.strip().rpartition("@")
        code = "".join(c for c in code.upper() if c.isalnum())
        try:
            parts = urlsplit("//" + where.removeprefix("http://").rstrip("/"))
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if not (at and code and host and port):
            raise RoomError(
                f"{text!r} is not like CODE@192.168.1.5:8765: copy it from the room's screen"
            )
        return cls(code, host, port)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Membership:
    """token: random, made when the room was joined. seq: of the last thing told. unsent: items as
    they are sent, in order."""

    code: str
    host: str
    port: int
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    laptop: dict = field(default_factory=dict)
    seq: int = 0
    unsent: tuple[dict, ...] = ()

    @property
    def place(self) -> Place:
        return Place(self.code, self.host, self.port)

    def with_item(self, item: dict) -> Membership:
        """One more to send; the oldest give way where there are too many."""
        seq = self.seq + 1
        unsent = (*self.unsent, {**item, "seq": seq})[-MOST_UNSENT:]
        return replace(self, seq=seq, unsent=unsent)

    def without(self, seqs: set[int]) -> Membership:
        return replace(self, unsent=tuple(i for i in self.unsent if i["seq"] not in seqs))


class Kept:
    """The file. Two notebooks and a terminal may change it: each change re-reads it under a lock.

    Raises OSError where it can't be written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or home().path / "room.json"

    def read(self) -> Membership | None:
        """None where this laptop is in no room, or the file is not one that this version wrote."""
        try:
            found = json.loads(self.path.read_text())
            return Membership(**{**found, "unsent": tuple(found["unsent"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def change(self, how: Callable[[Membership | None], Membership | None]) -> Membership | None:
        """Write what `how` makes of what is kept now; None takes the file away."""
        with locked(self.path):
            made = how(self.read())
            if made is None:
                self.path.unlink(missing_ok=True)
                return None
            write(self.path, json.dumps(asdict(made)), 0o600)
            return made
