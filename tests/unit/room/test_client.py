"""A laptop's side: what is sent, that nothing is lost or told twice, that no cell is held up."""

import json
import socket
import threading
import time

import pytest

from constraintlab.course.lab import Lab
from constraintlab.course.progress import Progress
from constraintlab.limits.resource import Resource
from constraintlab.room.client import Client
from constraintlab.room.kept import MOST_UNSENT, Kept, Membership, Place, RoomError
from constraintlab.room.post import Reply
from constraintlab.room.sender import Sender
from tests.unit.room.running import KEY, LAB, running, token

OPTIONS = ("about the same", "×2 to ×5", "×5 to ×25", "×25 to ×32")


@pytest.fixture
def room(tmp_path):
    with running(tmp_path / "room") as found:
        found.instruct("open")
        yield found


@pytest.fixture
def kept(tmp_path):
    return Kept(tmp_path / "laptop" / "room.json")


@pytest.fixture
def lab(kept, tmp_path):
    made = Lab(LAB, Progress(tmp_path / "laptop" / "progress.json"))
    made.room = Client(kept)
    return made


def votes(room):
    return [o["predicted"] for o in room.state()["shown"]["options"]]


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_lab_that_has_joined_tells_predictions_measurements_and_its_constraint(room, lab, capsys):
    lab.join(room.where)
    assert "No name" in capsys.readouterr().out
    asked = lab.predict(KEY, "Throughput:", OPTIONS)
    asked.choose(OPTIONS[0])
    asked.choose(OPTIONS[1])
    lab.reveal(KEY, OPTIONS[2], "because", value=7.5, unit="× from 32 in a step")
    lab.finish("batch 4", Resource.KV_CAPACITY)
    assert lab.room.wait(10)
    assert votes(room) == [0, 1, 0, 0] and room.state()["finished"] == {LAB: 1}
    room.instruct("reveal")
    seen = room.state()["shown"]
    assert seen["values"] == [7.5] and seen["binds"][0]["resource"] == "kv_capacity"


def test_without_a_room_nothing_is_kept_or_sent(lab, kept, monkeypatch):
    monkeypatch.setattr("constraintlab.room.client.post", lambda *_: pytest.fail("it was sent"))
    lab.predict(KEY, "Throughput:", OPTIONS).choose(OPTIONS[0])
    lab.reveal(KEY, OPTIONS[2], "because")
    lab.finish("x")
    assert not kept.path.exists() and lab.room._sender._thread is None


def test_nothing_goes_out_but_what_the_instructor_s_notes_say(room, kept, monkeypatch):
    sent = []
    monkeypatch.setattr(
        "constraintlab.room.client.post", lambda _, path, body: sent.append(body) or Reply(200, {})
    )
    client = Client(kept)
    client._sender = Sender(
        kept, print, lambda _, path, body: sent.append(body) or Reply(200, {"taken": []})
    )
    client.join(room.where, {"cores": 2, "isa": "AVX2", "device": "cpu"})
    client.predicted(LAB, KEY, OPTIONS[0])
    client.measured(LAB, KEY, OPTIONS[1], 2.0)
    client.finished(LAB, "host")
    assert client.wait(10)
    joined, *told = sent
    assert set(joined) == {"code", "token", "laptop"}
    assert set(joined["laptop"]) == {"cores", "isa", "device"}
    items = [i for body in told for i in body["items"]]
    assert {k for i in items for k in i} == {"kind", "lab", "key", "text", "value", "seq"}
    assert all(set(body) == {"code", "token", "items"} for body in told)


def test_a_prediction_from_before_the_join_is_told_too(room, lab):
    lab.predict(KEY, "Throughput:", OPTIONS).choose(OPTIONS[3])
    lab.join(room.where)
    assert lab.room.wait(10) and votes(room) == [0, 0, 0, 1]


def test_a_cell_goes_on_while_the_room_does_not_answer(kept, lab):
    kept.change(lambda _: Membership("ABCDEF", "h", 1))
    asked, answer = threading.Event(), threading.Event()

    def slow(*_):
        asked.set()
        assert answer.wait(20)
        return Reply(200, {})

    lab.room._sender = Sender(kept, pytest.fail, slow)
    lab.predict(KEY, "Throughput:", OPTIONS).choose(OPTIONS[0])
    assert asked.wait(10)
    lab.reveal(KEY, OPTIONS[2], "because")
    lab.finish("x")  # all three cells are done, and the room has answered nothing yet
    assert len(kept.read().unsent) == 3
    answer.set()
    assert lab.room.wait(10) and kept.read().unsent == ()


def test_a_room_that_is_gone_is_mentioned_once(kept, lab, capsys):
    kept.change(lambda _: Membership("ABCDEF", "127.0.0.1", closed_port()))
    lab.room._sender._first = 0.01
    lab.predict(KEY, "Throughput:", OPTIONS).choose(OPTIONS[0])
    end = time.monotonic() + 10
    while not lab.room._note and time.monotonic() < end:
        time.sleep(0.01)
    lab.finish("x")
    time.sleep(0.1)  # more tries, which say nothing
    lab.finish("x")
    assert capsys.readouterr().out.count("can't be reached") == 1
    assert [i["kind"] for i in kept.read().unsent] == ["prediction", "finish", "finish"]


def test_what_could_not_be_sent_is_sent_by_the_next_notebook(tmp_path, kept):
    with running(tmp_path / "room") as room:
        port, where = room.port, room.where
        Client(kept).join(where)
    client = Client(kept)
    client._sender._first = 0.1
    client.predicted(LAB, KEY, OPTIONS[1])
    client.predicted(LAB, KEY, OPTIONS[2])
    assert not client.wait(0.3) and len(kept.read().unsent) == 2
    with running(tmp_path / "room", port) as room:
        assert room.where == where
        room.instruct("open")
        assert Client(kept).wait(10)
        assert votes(room) == [0, 0, 1, 0] and kept.read().unsent == ()


def test_a_room_whose_file_was_lost_is_joined_again_by_itself(kept):
    kept.change(lambda _: Membership("ABCDEF", "h", 1, laptop={"cores": 2}).with_item({"a": 1}))
    asked, replies = [], [Reply(409, {"error": "join first"}), Reply(200, {}), Reply(200, {})]

    def post(place, path, body):
        asked.append(path)
        return replies.pop(0)

    sender = Sender(kept, pytest.fail, post)
    sender.wake()
    assert sender.wait(10)
    assert asked == ["/api/tell", "/api/join", "/api/tell"] and kept.read().unsent == ()


def test_a_room_with_another_code_is_said_and_not_asked_again(kept):
    kept.change(lambda _: Membership("ABCDEF", "h", 1).with_item({"a": 1}))
    asked, said = [], []
    sender = Sender(kept, said.append, lambda *a: asked.append(a) or Reply(403, {"error": "other"}))
    sender.wake()
    assert sender.wait(10)
    assert len(asked) == len(said) == 1 and "lab.join again" in said[0]


def test_a_room_that_asks_to_wait_is_given_time(kept):
    kept.change(lambda _: Membership("ABCDEF", "h", 1).with_item({"a": 1}))
    at = []

    def post(*_):
        at.append(time.monotonic())
        return Reply(429, {}, 0.3) if len(at) == 1 else Reply(200, {})

    sender = Sender(kept, pytest.fail, post, first=0.01)
    sender.wake()
    assert sender.wait(10) and at[1] - at[0] >= 0.3


def test_joining_again_is_the_same_laptop_and_leaving_ends_it(room, kept):
    client = Client(kept)
    client.join(room.where)
    first = kept.read().token
    client.join(room.where.lower())
    assert kept.read().token == first and room.state()["joined"] == 1
    assert "Left" in client.leave() and not kept.path.exists()
    assert "in no room" in client.leave()
    client.join(room.where)
    assert kept.read().token != first


@pytest.mark.parametrize(
    "text", ["", "ABCDEF", "ABCDEF@", "@h:1", "ABC@host", "A@h:x", "A@h:99999"]
)
def test_an_address_that_is_none_is_said_to_be(text):
    with pytest.raises(RoomError, match="copy it from the room's screen"):
        Place.of(text)


def test_an_address_may_be_written_as_a_browser_or_a_person_does():
    assert Place.of(" abc-def@http://10.0.0.7:8765/ ") == Place("ABCDEF", "10.0.0.7", 8765)
    assert Place.of("ABCDEF@[::1]:80").host == "::1"


def test_joining_what_is_no_room_names_the_fix_and_keeps_nothing(room, kept):
    client = Client(kept)
    with pytest.raises(RoomError, match="compare the address"):
        client.join(f"ABCDEF@127.0.0.1:{closed_port()}")
    with pytest.raises(RoomError, match="another code"):
        client.join(f"ABCDEF@127.0.0.1:{room.port}")
    assert kept.read() is None


def test_a_value_that_stands_on_no_log_axis_is_left_out(room, kept):
    client = Client(kept)
    client.join(room.where)
    for value in (0.0, -1.0, float("nan"), float("inf"), None):
        client.measured(LAB, KEY, OPTIONS[0], value)
    assert client.wait(10) and client.note() == ""
    room.instruct("reveal")
    seen = room.state()["shown"]
    assert seen["measured"] == 1 and seen["values"] == []


def test_the_file_is_the_learner_s_alone_and_a_damaged_one_is_no_room(kept):
    kept.change(lambda _: Membership("ABCDEF", "h", 1))
    assert kept.path.stat().st_mode & 0o077 == 0
    kept.path.write_text("{")
    assert kept.read() is None
    kept.path.write_text(json.dumps({"code": "A", "unsent": [], "surprise": 1}))
    assert kept.read() is None


def test_what_waits_has_a_bound():
    mine = Membership("ABCDEF", "h", 1, token())
    for i in range(MOST_UNSENT + 5):
        mine = mine.with_item({"n": i})
    assert len(mine.unsent) == MOST_UNSENT and mine.unsent[-1]["seq"] == MOST_UNSENT + 5


def test_a_reveal_has_a_value_and_its_unit_or_neither(lab):
    lab.predict(KEY, "Throughput:", OPTIONS)
    for half in ({"value": 2.0}, {"unit": "× more"}):
        with pytest.raises(ValueError, match="together with its unit"):
            lab.reveal(KEY, OPTIONS[0], "because", **half)


def test_a_home_that_can_t_be_written_breaks_no_cell(kept, lab, monkeypatch):
    kept.change(lambda _: Membership("ABCDEF", "h", 1))

    def full(how):
        raise OSError("no space left")

    monkeypatch.setattr(kept, "change", full)
    lab.predict(KEY, "Throughput:", OPTIONS).choose(OPTIONS[0])
    assert "no space left" in lab.room.note()
