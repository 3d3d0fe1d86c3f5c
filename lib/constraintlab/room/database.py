"""The SQLite file under a room: one server has it open, and what it commits is on the disk."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS room (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS learners (
    id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, cores INTEGER, isa TEXT, device TEXT);
CREATE TABLE IF NOT EXISTS predictions (
    learner INTEGER, lab TEXT, key TEXT, place INTEGER NOT NULL, seq INTEGER NOT NULL,
    late INTEGER NOT NULL, PRIMARY KEY (learner, lab, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS measurements (
    learner INTEGER, lab TEXT, key TEXT, place INTEGER, resource TEXT, value REAL,
    seq INTEGER NOT NULL, PRIMARY KEY (learner, lab, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS finishes (
    learner INTEGER, lab TEXT, resource TEXT, seq INTEGER NOT NULL,
    PRIMARY KEY (learner, lab)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revealed (lab TEXT, key TEXT, PRIMARY KEY (lab, key)) WITHOUT ROWID;
"""


def connect(path: Path) -> sqlite3.Connection:
    """The room's file, made if there is none. OSError where it is no room or another has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    # The instructor can wait a second for a server that is ending.
    db = sqlite3.connect(path, timeout=1.0, check_same_thread=False, isolation_level=None)
    try:
        for name, value in (
            ("locking_mode", "EXCLUSIVE"), ("journal_mode", "WAL"), ("synchronous", "FULL")
        ):  # fmt: skip
            db.execute(f"PRAGMA {name} = {value}").fetchall()
        db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
    except sqlite3.DatabaseError as error:
        db.close()
        raise OSError(_why(path, error)) from None
    return db


class Transaction:
    """Commits at its end, which waits for the disk; undoes all where an error ends it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> sqlite3.Connection:
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    def __exit__(self, kind, error, trace) -> None:
        if kind:
            self._db.execute("ROLLBACK")
            return
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error:  # a full disk
            self._db.execute("ROLLBACK")
            raise


def in_use(path: Path) -> bool:
    """Whether a server has the room in `path` open."""
    with closing(sqlite3.connect(path, timeout=0.5, isolation_level=None)) as db:
        try:
            db.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            return True
        except sqlite3.DatabaseError:  # not a room at all
            return False
        db.execute("ROLLBACK")
        return False


def _why(path: Path, error: sqlite3.DatabaseError) -> str:
    if "locked" in str(error):
        return f"{path} is open in another `constraintlab room`: end that one, or give --file"
    return f"{path} is no room of constraintlab ({error}): give another --file, or --new"
