"""`constraintlab room`, `join` and `leave` as a person types them."""

import socket

import pytest
from typer.testing import CliRunner

from constraintlab.cli import app
from constraintlab.limits.home import home
from constraintlab.room import catalogue, run
from constraintlab.room.command import put_aside, welcome
from constraintlab.room.kept import Kept
from constraintlab.room.store import Store
from tests.unit.room.running import new_store, running


def call(*words):
    return CliRunner().invoke(app, words)


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """A home that no other test of this session writes to."""
    monkeypatch.setenv("CONSTRAINTLAB_HOME", str(tmp_path / "home"))
    return home().path


def test_join_and_leave(tmp_path, alone):
    with running(tmp_path) as room:
        done = call("join", room.where)
        assert done.exit_code == 0 and "Joined" in done.stdout and "No name" in done.stdout
        assert room.state()["joined"] == 1 and Kept().read().code == room.code
    assert "Left" in call("leave").stdout and Kept().read() is None


def test_a_wrong_address_is_one_sentence_and_status_2(alone):
    done = call("join", "over there")
    assert done.exit_code == 2 and "copy it from the room's screen" in done.stderr
    assert "Traceback" not in done.output


def test_a_port_that_is_taken_is_one_sentence_and_status_2(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = tmp_path / "room.sqlite"
        done = call("room", "--host", "127.0.0.1", "--port", str(port), "--file", str(file))
    assert done.exit_code == 2 and "another --port" in done.stderr and not file.exists()


def test_the_terminal_says_how_to_join_and_where_the_instructor_looks(tmp_path):
    store = new_store(tmp_path)
    text = welcome(store, ["192.168.1.5", "10.0.0.2"], 8765)
    store.close()
    assert f'lab.join("{store.code}@192.168.1.5:8765")' in text
    assert f"http://192.168.1.5:8765/#{store.key}" in text and "10.0.0.2:8765" in text


def test_a_new_room_keeps_the_one_before(tmp_path):
    old = new_store(tmp_path)
    with pytest.raises(OSError, match="end that one first"):
        put_aside(old.path)
    old.close()
    kept = put_aside(old.path)
    new = new_store(tmp_path)
    assert new.code != old.code and not new.resumed
    new.close()
    again = Store(kept, catalogue.load())
    assert again.code == old.code
    again.close()
    assert put_aside(tmp_path / "none.sqlite") is None


def test_addresses_are_of_this_machine_and_never_of_all():
    found = run.addresses("0.0.0.0")
    assert found and "0.0.0.0" not in found
    assert run.addresses("192.168.7.7") == ["192.168.7.7"] and run.addresses("::1") == ["[::1]"]
