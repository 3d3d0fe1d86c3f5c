"""What a room answers to laptops, pages, the instructor, and to nonsense."""

import json
import socket

import pytest

from constraintlab.room import app as apps
from constraintlab.room import catalogue, messages
from constraintlab.room.pace import Pace
from tests.unit.room.running import KEY, LAB, running, token

OPTIONS = catalogue.load().find(LAB, KEY).options


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    with running(tmp_path_factory.mktemp("room")) as found:
        yield found


@pytest.fixture
def who(room):
    made = token()
    assert room.join(made, laptop={"cores": 4, "isa": "AVX2"})[0] == 200
    return made


def said(text=OPTIONS[0], seq=1, **more):
    return {"kind": "prediction", "lab": LAB, "key": KEY, "text": text, "seq": seq, **more}


def test_what_is_told_is_acknowledged_item_by_item(room, who):
    status, _, reply = room.tell(who, said(), said(lab="77", seq=2), said(seq=3, name="Ann"))
    assert status == 200 and reply["taken"] == [1]
    why = {r["seq"]: r["why"] for r in reply["refused"]}
    assert "no lab '77'" in why[2] and "name" in why[3]


@pytest.mark.parametrize("path", ["join", "tell"])
def test_another_room_s_code_is_refused(room, path):
    body = {"code": "NOTIT1", "token": token()}
    body |= {"items": [said()]} if path == "tell" else {}
    status, _, reply = room.ask(f"/api/{path}", body)
    assert status == 403 and "another code" in reply["error"]


def test_a_code_may_be_written_as_it_is_spoken(room):
    spoken = f" {room.code[:3].lower()}-{room.code[3:].lower()}"
    assert room.ask("/api/join", {"code": spoken, "token": token()})[0] == 200
    assert room.ask("/api/state", key=spoken)[0] == 200


def test_a_laptop_that_never_joined_is_told_to(room):
    status, _, reply = room.tell(token(), said())
    assert status == 409 and "join first" in reply["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"code": 3}', b"[" * 9000,
        b'{"code": "X", "token": "short"}', b'{"code": "X", "token": "%s", "x": 1}' % (b"a" * 32),
    ],
)  # fmt: skip
def test_nonsense_is_answered_with_what_is_wrong(room, body):
    status, _, reply = room.ask("/api/join", body)
    assert status == 400 and "no message" in reply["error"]


@pytest.mark.parametrize(
    "change",
    [
        {"lab": "x" * 17}, {"key": "<b>"}, {"key": None}, {"text": "x" * 121}, {"seq": 0},
        {"seq": "1"}, {"kind": "gossip"}, {"value": -1.0}, {"value": "1"}, {"seq": 2**60},
    ],
)  # fmt: skip
def test_an_item_out_of_its_limits_is_refused_by_itself(room, who, change):
    status, _, reply = room.tell(who, {**said(), **change}, said(seq=2))
    assert status == 200 and reply["taken"] == [2] and len(reply["refused"]) == 1


def test_a_body_that_is_too_large_is_cut_short(room):
    status, _, reply = room.ask("/api/join", b" " * (messages.BODY + 1))
    assert status == 413 and str(messages.BODY) in reply["error"]


def test_more_items_than_a_laptop_ever_sends_are_refused(room, who):
    items = [said(seq=i + 1) for i in range(messages.MOST_ITEMS + 1)]
    assert room.tell(who, *items)[0] == 400


def test_who_tells_too_often_is_asked_to_wait(room, who):
    tries = (room.tell(who, said()) for _ in range(400))  # on a slow machine the pace keeps up
    assert next(tries)[0] == 200
    status, headers, reply = next(answer for answer in tries if answer[0] != 200)
    assert status == 429 and int(headers["retry-after"]) >= 1 and "later" in reply["error"]


def test_a_body_that_never_comes_is_not_waited_for(room, monkeypatch):
    monkeypatch.setattr(apps, "BODY_SECONDS", 0.2)
    link = socket.create_connection(("127.0.0.1", room.port), timeout=20)
    link.sendall(b"POST /api/join HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
    assert b" 408 " in link.recv(4096).split(b"\r\n")[0]
    link.close()


def test_only_the_key_decides(room):
    body = {"do": "reveal", "lab": LAB, "key": KEY}
    for key in ("", "wrong", room.code):
        status, _, reply = room.ask("/api/instruct", body, key)
        assert status == 403 and "key is in the terminal" in reply["error"]
    assert not room.state()["shown"]["revealed"]
    status, _, reply = room.instruct("open", "04", "nothing")
    assert status == 404 and "asks no 'nothing'" in reply["error"]


def test_a_page_needs_the_code_and_is_told_whether_it_may_decide(room):
    assert room.ask("/api/state")[0] == 403
    assert room.ask("/api/state", key="ZZZZZZ")[0] == 403
    assert room.ask("/api/state", key=room.code)[2]["role"] == "guest"
    assert room.ask("/api/state", key=room.key)[2]["role"] == "instructor"
    assert room.key not in json.dumps(room.ask("/api/state", key=room.code)[2])


def test_the_page_asks_nothing_of_other_machines(room):
    for path in ("/", "/page.js", "/draw.js", "/page.css", "/looks.css"):
        status, headers, body = room.ask(path)
        assert status == 200
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "https:" not in body and "http:" not in body.replace(
            "http://www.w3.org/2000/svg", ""
        )
        assert "innerHTML" not in body


@pytest.mark.parametrize(("path", "method"), [("/admin", "GET"), ("/api/join", "DELETE")])
def test_what_is_not_there_is_said_in_words(room, path, method):
    status, _, reply = room.ask(path, method=method)
    assert status in (404, 405) and "room" in reply["error"]


def test_a_pace_gives_a_burst_then_a_rate_and_forgets_who_is_quiet():
    now = [0.0]
    pace = Pace(2, 3, lambda: now[0])
    assert [pace.wait("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert pace.wait("b") == 0
    now[0] = 0.5
    assert pace.wait("a") == 0 and pace.wait("a") > 0
    now[0] = 100.0
    for i in range(50):
        pace.wait(i)
    assert "a" not in pace._buckets and "b" not in pace._buckets
