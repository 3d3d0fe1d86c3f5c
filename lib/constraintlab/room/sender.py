"""Sends what is unsent, in the background: a room that is slow or gone costs no cell any time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from constraintlab.room.kept import Kept, Membership
from constraintlab.room.post import Reply, post

BATCH = 50
FIRST, LONGEST = 1.0, 30.0
"""Seconds after a failure until the next try: doubled each time, up to the longest."""


class Sender:
    """One thread, started by the first `wake`, that ends with the process.

    trouble: called with a sentence when something does not go as it should, once until it goes
    again.
    """

    def __init__(
        self,
        kept: Kept,
        trouble: Callable[[str], object],
        send: Callable[..., Reply] = post,
        first: float = FIRST,
    ) -> None:
        self._kept, self._trouble, self._post, self._first = kept, trouble, send, first
        self._work, self._idle = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._told = False

    def wake(self) -> None:
        """There is something to send."""
        self._idle.clear()
        self._work.set()
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="room", daemon=True)
            self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Until all is sent, or given up; False where that takes longer."""
        return self._idle.wait(seconds)

    def _run(self) -> None:
        pause = self._first
        while True:
            self._work.wait()
            self._work.clear()
            try:
                wait = self._send_all()
            except Exception as error:  # of a disk, say: a lab goes on whatever happens here
                self._say(f"answers can't be sent to the room ({error})")
                wait = 0.0
            if wait is None:
                pause = self._first
                if not self._work.is_set():
                    self._idle.set()
                continue
            # Woken up or not: a room that does not answer is not asked more often.
            time.sleep(max(wait, pause))
            pause = min(2 * pause, LONGEST)
            self._work.set()

    def _send_all(self) -> float | None:
        """None once nothing is left; else the seconds that the room asks to wait."""
        while (mine := self._kept.read()) and mine.unsent:
            items = mine.unsent[:BATCH]
            body = {"code": mine.code, "token": mine.token, "items": items}
            reply = self._post(mine.place, "/api/tell", body)
            if reply.status == 409:  # a new room with the old code, or a file that was lost
                reply = self._join(mine)
                if reply.status == 200:
                    continue
            if reply.status == 200:
                self._told = False
                refused = reply.body.get("refused", [])
                for item in refused:
                    self._say(f"the room took one answer not: {item.get('why')}")
                done = {i["seq"] for i in items}
                self._kept.change(lambda now, d=done, m=mine: _less(now, m, d))
                continue
            if reply.status in (400, 403, 413, 507):
                self._say(f"the room at {mine.place} takes no answers of this laptop: {reply.why}; "
                          "lab.join again, or lab.leave()")  # fmt: skip
                return None
            if reply.status != 429:
                self._say(f"the room at {mine.place} can't be reached ({reply.why}): answers are "
                          "kept here and sent when it can")  # fmt: skip
            return reply.wait
        return None

    def _join(self, mine: Membership) -> Reply:
        body = {"code": mine.code, "token": mine.token, "laptop": mine.laptop or None}
        return self._post(mine.place, "/api/join", body)

    def _say(self, line: str) -> None:
        if not self._told:
            self._told = True
            self._trouble(line)


def _less(now: Membership | None, then: Membership, seqs: set[int]) -> Membership | None:
    """What is kept now without what was sent; another room's is left alone."""
    return now.without(seqs) if now and now.token == then.token else now
