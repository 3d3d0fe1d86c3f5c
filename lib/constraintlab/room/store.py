"""A room in an SQLite file: what was acknowledged is on the disk, and each answer counts once."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from constraintlab.limits.resource import Resource
from constraintlab.room.catalogue import Catalogue, Question, resource
from constraintlab.room.database import Transaction, connect
from constraintlab.room.messages import Item, Laptop

LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Of a code: none that is taken for another when it is read from a wall."""

MOST_LEARNERS = 500


class Full(Exception):
    """The room takes no further learner."""


class Stranger(Exception):
    """A token that has not joined this room."""


class Store:
    """The room in `path`, made there if there is none. Use it from one thread at a time.

    code: what learners join with. key: the instructor's. Both stay the same when the room is
    opened again. OSError where the file is no room, or another server has it open.
    """

    def __init__(self, path: Path, catalogue: Catalogue) -> None:
        self.path, self.catalogue = path, catalogue
        self._db = connect(path)
        first = catalogue.questions[0]
        self.resumed = self._get("code") is not None
        code = "".join(secrets.choice(LETTERS) for _ in range(6))
        made = {"code": code, "key": secrets.token_hex(8), "lab": first.lab, "question": first.key}
        with self._write() as db:
            db.executemany("INSERT OR IGNORE INTO room VALUES (?, ?)", made.items())
        self.code, self.key = self._get("code"), self._get("key")

    def close(self) -> None:
        self._db.close()

    def join(self, token: str, laptop: Laptop | None) -> None:
        """A learner comes, or comes again, which changes nothing but the laptop. Raises Full."""
        with self._write() as db:
            known = db.execute("SELECT 1 FROM learners WHERE token = ?", (token,)).fetchone()
            if not known and self.joined >= MOST_LEARNERS:
                raise Full(f"the room is full: it takes {MOST_LEARNERS} laptops")
            db.execute("INSERT OR IGNORE INTO learners (token) VALUES (?)", (token,))
            if laptop:
                told = (laptop.cores, laptop.isa, laptop.device, token)
                db.execute(
                    "UPDATE learners SET cores = ?, isa = ?, device = ? WHERE token = ?", told
                )

    def knows(self, token: str) -> bool:
        found = self._db.execute("SELECT 1 FROM learners WHERE token = ?", (token,))
        return found.fetchone() is not None

    def take(self, token: str, items: Iterable[Item]) -> list[str | None]:
        """Keep what a learner tells, all in one transaction: for each item None, or why it is
        refused. One that was there already, or older than what is there, changes nothing.

        Raises Stranger. When this returns, what was taken is on the disk.
        """
        with self._write() as db:
            found = db.execute("SELECT id FROM learners WHERE token = ?", (token,)).fetchone()
            if found is None:
                raise Stranger("this room does not know this laptop: join first")
            return [self._take(db, found[0], item) for item in items]

    def _take(self, db: sqlite3.Connection, learner: int, item: Item) -> str | None:
        try:
            if item.kind == "finish":
                return self._finish(db, learner, item)
            question = self.catalogue.find(item.lab, item.key)
        except KeyError as error:
            return error.args[0]
        if item.kind == "prediction":
            return self._prediction(db, learner, item, question)
        at, kind = question.place(item.text), resource(item.text)
        row = (learner, *question.name, at, kind and kind.value, item.value, item.seq)
        db.execute(
            "INSERT INTO measurements VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "place = excluded.place, resource = excluded.resource, value = excluded.value, "
            "seq = excluded.seq WHERE excluded.seq > seq", row,
        )  # fmt: skip
        return None

    def _prediction(
        self, db: sqlite3.Connection, learner: int, item: Item, question: Question
    ) -> str | None:
        """One may be changed, until this laptop has measured or the room has been shown."""
        at = question.place(item.text)
        if at is None:
            return f"no option of {item.lab} {item.key} is {item.text!r}"
        mine = (learner, *question.name)
        here = "learner = ? AND lab = ? AND key = ?"
        old = db.execute(f"SELECT seq, late FROM predictions WHERE {here}", mine).fetchone()
        seen = db.execute(f"SELECT seq FROM measurements WHERE {here}", mine).fetchone()
        late = question.name in self.revealed
        if old and (item.seq <= old[0] or late or (seen and item.seq > seen[0])):
            return None
        row = (*mine, at, item.seq, late or bool(old and old[1]))
        db.execute("INSERT OR REPLACE INTO predictions VALUES (?, ?, ?, ?, ?, ?)", row)
        return None

    def _finish(self, db: sqlite3.Connection, learner: int, item: Item) -> str | None:
        self.catalogue.check_lab(item.lab)
        if item.text and item.text not in set(Resource):
            return f"there is no resource {item.text!r}"
        row = (learner, item.lab, item.text or None, item.seq)
        db.execute(
            "INSERT INTO finishes VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "resource = excluded.resource, seq = excluded.seq WHERE excluded.seq > seq", row,
        )  # fmt: skip
        return None

    def show(self, lab: str, key: str) -> None:
        """Open a question on the screen. KeyError where there is none."""
        name = self.catalogue.find(lab, key).name
        with self._write() as db:
            pairs = zip(name, ("lab", "question"), strict=True)
            db.executemany("UPDATE room SET value = ? WHERE name = ?", list(pairs))

    def reveal(self, lab: str, key: str) -> None:
        """Show what was measured, until it is hidden. KeyError where there is no such question."""
        with self._write() as db:
            name = self.catalogue.find(lab, key).name
            db.execute("INSERT OR IGNORE INTO revealed VALUES (?, ?)", name)

    def hide(self, lab: str, key: str) -> None:
        """Show no more what was measured: predictions count again, less those of who answered
        while it was shown. KeyError where there is no such question."""
        with self._write() as db:
            name = self.catalogue.find(lab, key).name
            db.execute("DELETE FROM revealed WHERE lab = ? AND key = ?", name)

    @property
    def joined(self) -> int:
        return self.rows("SELECT count(*) FROM learners")[0][0]

    @property
    def revealed(self) -> set[tuple[str, str]]:
        return set(self.rows("SELECT lab, key FROM revealed"))

    @property
    def shown(self) -> Question:
        """The question on the screen; the first, where this version has not the one that was."""
        try:
            return self.catalogue.find(self._get("lab"), self._get("question"))
        except KeyError:
            return self.catalogue.questions[0]

    def rows(self, query: str, values: tuple = ()) -> list[tuple]:
        with closing(self._db.execute(query, values)) as found:
            return found.fetchall()

    def _get(self, name: str) -> str | None:
        found = self.rows("SELECT value FROM room WHERE name = ?", (name,))
        return found[0][0] if found else None

    def _write(self) -> Transaction:
        return Transaction(self._db)
