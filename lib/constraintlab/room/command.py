"""`constraintlab room`, `join` and `leave`: a room's server, and a laptop's membership."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import typer

HOST = typer.Option(
    "0.0.0.0", help="Address to listen on: this machine's own network unless given."
)
PORT = typer.Option(8765, min=0, max=65535, help="Port to listen on; 0 takes a free one.")
FILE = typer.Option(None, help="The room's file, to be resumed or made; else one for all rooms.")
NEW = typer.Option(False, "--new", help="A fresh room; the one before is kept under its date.")
WHERE = typer.Argument(help="What the screen shows: CODE@192.168.1.5:8765.")


def room(port: int = PORT, host: str = HOST, file: Path | None = FILE, new: bool = NEW) -> None:
    """Serve a room for a workshop: predictions as a histogram, measurements beside each other.

    Laptops join with the code that it prints. Started again, it is the same room, with the same
    code and key and all that it had acknowledged.
    """
    from constraintlab.limits.home import home
    from constraintlab.room import catalogue, run
    from constraintlab.room.store import Store

    path = file or home().path / "room" / "room.sqlite"
    try:
        socket = run.listen(host, port)
        try:
            kept = put_aside(path) if new else None
            store = Store(path, catalogue.load())
            port = socket.getsockname()[1]
            hosts = run.addresses(host)

            def ready() -> None:
                if kept:
                    typer.echo(f"The room before is kept in {kept}.")
                typer.echo(welcome(store, hosts, port))

            run.Server(store, f"{hosts[0]}:{port}", ready).run(sockets=[socket])
            store.close()
        finally:
            socket.close()
    except OSError as error:
        _say(f"room: {error}")
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        pass


def welcome(store, hosts: list[str], port: int) -> str:
    """What the terminal says once laptops can come."""
    where = [f"{host}:{port}" for host in hosts]
    back = f", resumed with {_count(store.joined)}" if store.resumed else ""
    lines = [
        f"Room {store.code}{back}. Ctrl-C ends it; started again, it is the same room.",
        f'Learners:    lab.join("{store.code}@{where[0]}")   in a notebook, or',
        f"             constraintlab join {store.code}@{where[0]}   in a terminal",
        f"Any browser: http://{where[0]}   and the code",
        f"Your screen: http://{where[0]}/#{store.key}   (the instructor's key: {store.key})",
    ]
    if len(where) > 1:
        lines.append(f"Also at:     {', '.join(where[1:])}")
    return "\n".join(lines)


def join(where: str = WHERE) -> None:
    """Send this laptop's answers to a workshop's room, until `constraintlab leave`."""
    from constraintlab.limits import cgroup
    from constraintlab.room.client import Client, RoomError

    try:
        typer.echo(Client().join(where, {"cores": max(1, round(cgroup.cores()))}))
    except RoomError as error:
        _say(f"join: {error}")
        raise typer.Exit(2) from None


def leave() -> None:
    """Send nothing to a room any more."""
    from constraintlab.room.client import Client

    typer.echo(Client().leave())


def put_aside(path: Path) -> Path | None:
    """An old room under the date; its write-ahead log goes with it."""
    if not path.exists():
        return None
    from constraintlab.room.database import in_use

    if in_use(path):
        raise OSError(f"{path} is open in another `constraintlab room`: end that one first")
    kept = path.with_name(f"{path.stem}-{time.strftime('%Y-%m-%d-%H%M%S')}{path.suffix}")
    for end in ("-wal", ""):
        old = path.with_name(path.name + end)
        if old.exists():
            old.rename(kept.with_name(kept.name + end))
    return kept


def _count(n: int) -> str:
    return "1 laptop" if n == 1 else f"{n} laptops"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
