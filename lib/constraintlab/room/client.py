"""What a lab tells its room, if its learner has joined one. Nothing here slows or breaks a cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite

from constraintlab.room.kept import Kept, Membership, Place, RoomError
from constraintlab.room.post import post
from constraintlab.room.sender import Sender

__all__ = ["Client", "RoomError"]

SENT = (
    "It gets your predictions, what your laptop measured for them, each lab's constraint, and the "
    "number of cores and the instruction set, under a random number. No name, no file, no code. "
    "lab.leave() ends it."
)


class Client:
    """A laptop's way to a room. Without a membership every call does nothing.

    note: what went wrong in the background, to be shown once, where the learner looks.
    """

    def __init__(self, kept: Kept | None = None) -> None:
        self._kept = kept or Kept()
        self._sender = Sender(self._kept, self._trouble)
        self._note = ""
        mine = self._kept.read()
        if mine and mine.unsent:
            self._sender.wake()

    def join(self, where: str, laptop: Mapping[str, object] | None = None) -> str:
        """Join the room `CODE@host:port`; a sentence on what is sent from now on.

        Joining the same room again keeps the token, so that one laptop counts once. RoomError
        where there is no room, or it has another code.
        """
        place = Place.of(where)
        known = self._kept.read()
        same = known is not None and (known.code, known.place.port) == (place.code, place.port)
        token = {"token": known.token, "seq": known.seq, "unsent": known.unsent} if same else {}
        mine = Membership(place.code, place.host, place.port, laptop=dict(laptop or {}), **token)
        body = {"code": mine.code, "token": mine.token, "laptop": mine.laptop or None}
        reply = post(place, "/api/join", body)
        if reply.status == 0:
            raise RoomError(
                f"no room answers at {place} ({reply.why}): compare the address with the screen, "
                "and be in the same network"
            )
        if reply.status != 200:
            raise RoomError(f"the room at {place} says: {reply.why}")
        self._kept.change(
            lambda now: (
                replace(mine, seq=now.seq, unsent=now.unsent)
                if now and now.token == mine.token
                else mine
            )
        )
        self._sender.wake()
        return f"Joined the room at {place}. {SENT}"

    def leave(self) -> str:
        """Forget the room; what it was told stays there, as counts that nobody's name is on."""
        known = self._kept.read()
        self._kept.change(lambda _: None)
        return f"Left the room at {known.place}." if known else "This laptop is in no room."

    def predicted(self, lab: str, key: str, choice: str) -> None:
        """The option that the learner chose."""
        self._tell(kind="prediction", lab=lab, key=key, text=choice)

    def measured(self, lab: str, key: str, truth: str, value: float | None = None) -> None:
        """The option that held, and the number behind it in the question's unit."""
        usable = value is not None and isfinite(value) and value > 0
        told = {"value": float(value)} if usable else {}
        self._tell(kind="measurement", lab=lab, key=key, text=truth[:120], **told)

    def finished(self, lab: str, constraint: str) -> None:
        """The constraint that a lab's strip has, or an empty text."""
        self._tell(kind="finish", lab=lab, text=constraint)

    def note(self) -> str:
        """What went wrong since the last call, once."""
        note, self._note = self._note, ""
        return note

    def wait(self, seconds: float) -> bool:
        """Until all is sent; False where that takes longer. For tests, and for a script's end."""
        return self._sender.wait(seconds)

    def _tell(self, **item: object) -> None:
        try:
            if self._kept.read() is None:
                return
            made = self._kept.change(lambda now: now and now.with_item(item))
        except OSError as error:
            self._trouble(f"the answer can't be kept for the room ({error})")
            return
        if made:
            self._sender.wake()

    def _trouble(self, line: str) -> None:
        self._note = line
