"""The room's file: each answer counts once, and a room that is opened again is the same."""

import stat

import pytest

from constraintlab.room import catalogue
from constraintlab.room import store as stores
from constraintlab.room.database import in_use
from constraintlab.room.messages import Laptop
from constraintlab.room.state import shown, state
from constraintlab.room.store import Full, Store, Stranger
from tests.unit.room.running import (
    KEY,
    LAB,
    finish,
    measurement,
    new_store,
    prediction,
    token,
)

OPTIONS = catalogue.load().find(LAB, KEY).options


@pytest.fixture
def store(tmp_path):
    with_one = new_store(tmp_path)
    with_one.show(LAB, KEY)
    yield with_one
    with_one.close()


@pytest.fixture
def who(store):
    made = token()
    store.join(made, Laptop(8, "AVX2"))
    return made


def votes(store):
    return [o["predicted"] for o in state(store)["shown"]["options"]]


def test_a_repeated_answer_counts_once(store, who):
    for _ in range(3):
        assert store.take(who, [prediction(OPTIONS[1])]) == [None]
    assert votes(store) == [0, 1, 0, 0]


def test_a_laptop_that_joins_twice_is_one_laptop(store, who):
    store.join(who, Laptop(8, "AVX2"))
    store.join(who, None)
    assert store.joined == 1
    assert store.rows("SELECT cores, isa FROM learners") == [(8, "AVX2")]


def test_an_answer_may_be_changed_and_the_last_one_told_counts(store, who):
    store.take(who, [prediction(OPTIONS[0], seq=1), prediction(OPTIONS[2], seq=2)])
    assert votes(store) == [0, 0, 1, 0]
    store.take(who, [prediction(OPTIONS[0], seq=1)])  # a retry that comes late
    assert votes(store) == [0, 0, 1, 0]


def test_who_has_measured_can_predict_no_more(store, who):
    store.take(who, [prediction(OPTIONS[0], 1), measurement(OPTIONS[2], 7.0, 2)])
    store.take(who, [prediction(OPTIONS[2], 3)])
    assert votes(store) == [1, 0, 0, 0]


def test_before_the_reveal_nothing_of_what_was_measured_is_shown(store, who):
    store.take(who, [prediction(OPTIONS[0]), measurement(OPTIONS[2], 7.25), finish("host")])
    seen = state(store)["shown"]
    assert seen["measured"] == 1 and not seen["revealed"]
    assert not {"values", "median", "binds", "unit"} & set(seen)
    assert all("measured" not in o for o in seen["options"])
    assert "7.25" not in str(seen) and "host" not in str(seen)


def test_the_reveal_has_the_measurements_of_all_laptops(store):
    for value, bound in ((4.0, "host"), (9.0, "kv_capacity"), (6.0, "kv_capacity")):
        who = token()
        store.join(who, None)
        at = OPTIONS[1] if value < 5 else OPTIONS[2]
        store.take(who, [prediction(OPTIONS[3]), measurement(at, value), finish(bound)])
    store.reveal(LAB, KEY)
    seen = state(store)["shown"]
    assert seen["values"] == [4.0, 6.0, 9.0] and seen["median"] == 6.0
    assert seen["unit"].startswith("×")
    assert [o["measured"] for o in seen["options"]] == [0, 1, 2, 0]
    assert [(b["resource"], b["laptops"]) for b in seen["binds"]] == [
        ("kv_capacity", 2),
        ("host", 1),
    ]


def test_a_measurement_that_is_no_option_is_shown_by_its_resource_or_as_something_else(store):
    question = catalogue.load().find("04", "alone")
    for text in ("fresh pages", "n/a: no Triton here"):
        who = token()
        store.join(who, None)
        assert store.take(who, [measurement(text, key="alone")]) == [None]
    more = shown(store, question, revealed=True)["options"][len(question.options) :]
    assert {(o["text"], o["resource"]) for o in more} == {
        ("fresh pages", "pages"), ("something else", None)
    }  # fmt: skip


def test_what_comes_after_the_reveal_is_told_apart_and_changes_no_earlier_answer(store, who):
    store.take(who, [prediction(OPTIONS[0], 1)])
    store.reveal(LAB, KEY)
    late = token()
    store.join(late, None)
    store.take(late, [prediction(OPTIONS[1], 1)])
    store.take(who, [prediction(OPTIONS[1], 2)])
    seen = state(store)["shown"]
    assert votes(store)[:2] == [1, 0]
    assert (seen["answers"], seen["late"]) == (1, 1)


def test_a_reveal_can_be_hidden_again_and_then_predictions_count_but_of_who_saw_it(store, who):
    store.take(who, [prediction(OPTIONS[0], 1), measurement(OPTIONS[2], 7.0, 2)])
    saw, fresh = token(), token()
    for one in (saw, fresh):
        store.join(one, None)
    store.reveal(LAB, KEY)
    store.take(saw, [prediction(OPTIONS[2], 1)])
    store.hide(LAB, KEY)
    seen = state(store)["shown"]
    assert not seen["revealed"] and "values" not in seen and seen["measured"] == 1
    store.take(saw, [prediction(OPTIONS[3], 2)])
    store.take(fresh, [prediction(OPTIONS[1], 1)])
    assert votes(store) == [1, 1, 0, 0] and state(store)["shown"]["late"] == 1
    store.reveal(LAB, KEY)
    assert state(store)["shown"]["values"] == [7.0], "and it can be revealed afresh"


def test_only_what_the_room_asks_can_be_hidden(store):
    store.hide(LAB, KEY)
    assert not store.revealed
    with pytest.raises(KeyError, match="asks no 'nothing'"):
        store.hide(LAB, "nothing")


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (prediction("a joke <script>"), "no option"),
        (prediction("compute", key="binds"), "asks no 'binds'"),
        (prediction("compute", lab="42"), "no lab '42'"),
        (finish("luck"), "no resource 'luck'"),
        (finish("host", lab="42"), "no lab '42'"),
    ],
)
def test_what_the_room_does_not_know_is_refused_with_a_reason_and_keeps_no_other_out(
    store, who, item, why
):
    refused, taken = store.take(who, [item, prediction(OPTIONS[0], seq=9)])
    assert why in refused and taken is None
    assert votes(store) == [1, 0, 0, 0]


def test_a_stranger_tells_nothing(store):
    with pytest.raises(Stranger, match="join first"):
        store.take(token(), [prediction(OPTIONS[0])])


def test_a_room_has_an_end(store, who, monkeypatch):
    monkeypatch.setattr(stores, "MOST_LEARNERS", 1)
    with pytest.raises(Full, match="takes 1 laptops"):
        store.join(token(), None)
    store.join(who, None)


def test_a_room_that_is_opened_again_is_the_same(tmp_path):
    first = new_store(tmp_path)
    who = token()
    first.join(who, None)
    first.take(who, [prediction(OPTIONS[0])])
    first.show(LAB, KEY)
    first.reveal(LAB, KEY)
    before = state(first)
    first.close()
    again = new_store(tmp_path)
    assert (again.code, again.key) == (first.code, first.key)
    assert again.resumed and not first.resumed
    assert state(again) == before and before["shown"]["revealed"]
    again.close()


def test_it_waits_for_the_disk_and_is_one_server_s_alone(store, tmp_path):
    assert store.rows("PRAGMA synchronous") == [(2,)]  # FULL
    assert store.rows("PRAGMA journal_mode") == [("wal",)]
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert in_use(store.path)
    with pytest.raises(OSError, match="another `constraintlab room`"):
        Store(store.path, catalogue.load())


def test_a_file_that_is_no_room_is_left_as_it_is(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("not a room, " * 100)
    with pytest.raises(OSError, match="no room of constraintlab"):
        Store(file, catalogue.load())
    assert file.read_text() == "not a room, " * 100 and not in_use(file)
