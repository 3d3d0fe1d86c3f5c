"""The migration map: what a learner measured, and nothing else."""

import pytest

from constraintlab.course.forecast import PART, Forecast
from constraintlab.course.migration import TITLES, migration, rows
from constraintlab.course.migration_map import COLUMNS, ROOM, picture, spec
from constraintlab.course.progress import Progress
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.panel.palette import COLOURS


@pytest.fixture
def progress(tmp_path):
    return Progress(tmp_path / "progress.json")


def done(progress, lab, constraint, note=""):
    progress.put(lab, "strip", "cell", {"constraint": constraint, "note": note})


def fix(progress, lab, name, predicted, measured, source="measured", before=(), bound=()):
    seen = None if measured is None else Estimate(measured, measured, measured, "×", source)
    said = Estimate(predicted, predicted, predicted, "×", "modelled")
    progress.put(lab, PART, name, Forecast(name, said, (), seen, bound, before).as_dict())


def layers(made):
    """The values of all layers, of the labs and of the gains."""
    return [list(values(part)) for part in made["hconcat"]]


def values(part):
    """Those of a part and of its layers: what all share stands at the top."""
    yield from part.get("data", {}).get("values", [])
    for layer in part.get("layer", []):
        yield from values(layer)


def test_a_learner_who_did_nothing_sees_empty_labs_and_is_told(progress):
    found = migration(progress)
    assert [s.lab for s in found.stops] == sorted(TITLES)[:-1] and not found.done
    assert found.title.startswith("Nothing measured yet")
    assert found.text.count("not done yet") == 8
    labs, gains = layers(spec(found, "light"))
    assert not [row for row in labs if row.get("fill") in COLOURS.values()]
    assert gains == [{"x": 1}]


def test_the_title_counts_different_constraints_in_their_order(progress):
    for lab, where in (("00", "bandwidth"), ("03", "host"), ("04", "host"), ("05", "bandwidth")):
        done(progress, lab, where)
    found = migration(progress)
    assert found.path == (Resource.BANDWIDTH, Resource.HOST, Resource.BANDWIDTH)
    assert found.title == "2 different constraints in 4 labs: bandwidth → host → bandwidth"


def test_one_lab_is_one_lab(progress):
    done(progress, "00", "bandwidth")
    assert migration(progress).title == "1 constraint in 1 lab: bandwidth"


def test_a_fix_stands_beside_its_lab_even_where_the_lab_was_not_finished(progress):
    done(progress, "04", "kv_capacity", "×5.6")
    fix(progress, "04", "8 slots", 5.0, 5.6)
    fix(progress, "04", "a decoy", 1.0, 1.02)
    fix(progress, "05", "paged KV", 1.9, 1.8)
    found = migration(progress)
    assert [f.fix for f in found.fixes] == ["8 slots", "a decoy", "paged KV"]
    assert len(rows(found)) == 9
    assert "Lab 04: KV capacity (×5.6); 8 slots predicted ×5.00, measured ×5.60" in found.text
    assert "Lab 05: not done yet; paged KV predicted ×1.90, measured ×1.80" in found.text
    labs, gains = layers(spec(found, "dark"))
    assert COLOURS[Resource.KV_CAPACITY] in [row.get("fill") for row in labs]
    assert {row["x"] for row in gains} >= {5.0, 5.6, 1.0, 1.02, 1.9, 1.8}


def test_what_was_not_measured_has_no_dot(progress):
    fix(progress, "04", "foreseen only", 2.0, None)
    fix(progress, "05", "modelled", 2.0, 2.0, "modelled: virtual clock")
    assert migration(progress).fixes == ()


def test_a_lab_without_a_constraint_and_a_gain_that_is_no_number_are_drawn(progress):
    done(progress, "02", None, "nothing bound")
    fix(progress, "02", "standstill", 3.0, 0.0)
    fix(progress, "02", "endless", float("inf"), 2.0)
    made = picture(migration(progress))
    assert "no limit" in str(layers(spec(migration(progress), "light")))
    assert made.png().startswith(b"\x89PNG")


def test_what_bound_before_and_after_a_fix_is_on_the_path_though_the_lab_ended_elsewhere(progress):
    kv, network, host = Resource.KV_CAPACITY, Resource.NETWORK, Resource.HOST
    done(progress, "05", "host")
    fix(progress, "05", "paged KV", 1.9, 1.8, before=(kv,), bound=(host, kv))
    done(progress, "06", "host")
    fix(progress, "06", "a decoy", 1.0, 1.0, before=(network,), bound=(network,))
    fix(progress, "06", "8 an event", 5.0, 5.6, before=(network,), bound=(host,))
    found = migration(progress)
    assert [s.path for s in found.done] == [(kv, host), (network, host)]
    assert found.path == (kv, host, network, host)
    assert found.title.startswith("3 different constraints in 2 labs: KV capacity → host → ")
    assert "paged KV predicted ×1.90, measured ×1.80, KV capacity → host." in found.text
    labs, _ = layers(spec(found, "light"))
    drawn = {r["y"]: r["fill"] for r in labs if r.get("x") == COLUMNS["before"]}
    assert list(drawn.values()) == [COLOURS[r] for r in (kv, network, network)]
    assert len([r for r in labs if r.get("text") == "→"]) == 3


def test_a_fix_that_nobody_has_a_verdict_on_has_no_arrow(progress):
    done(progress, "04", "kv_capacity")
    fix(progress, "04", "more slots", 1.0, 1.0, before=(Resource.KV_CAPACITY,))
    fix(progress, "04", "from before this was kept", 1.0, 1.0)
    labs, _ = layers(spec(migration(progress), "light"))
    moves = {(r["x"], r["y"]) for r in labs if r.get("x") in (COLUMNS["before"], COLUMNS["after"])}
    assert len(moves) == 1 and not [r for r in labs if r.get("text") == "→"]


def test_a_long_note_ends_where_the_fixes_begin(progress):
    done(progress, "03", "kv_capacity", "a note that is far too long for its column")
    fix(progress, "03", "and a fix whose name is too long as well", 1.0, 1.0)
    labs, _ = layers(spec(migration(progress), "light"))
    for column, most in ROOM.items():
        (text,) = [r["text"] for r in labs if r.get("x") == COLUMNS[column] and r["text"]]
        assert text.endswith("…") and len(text) <= most


def test_progress_from_before_a_forecast_kept_what_bound_is_read(progress):
    fix(progress, "05", "paged KV", 1.9, 1.8, before=(Resource.KV_CAPACITY,))
    old = progress.lab("05")[PART]["paged KV"]
    assert Forecast.from_dict(old).before == (Resource.KV_CAPACITY,)
    del old["before"]
    assert Forecast.from_dict(old).before == ()
