"""What the room knows is what the notebooks ask."""

import json
from pathlib import Path

import pytest

from constraintlab.room import asked, catalogue
from constraintlab.room.catalogue import FILE, Question

LABS = Path(__file__).resolve().parents[3] / "labs"


def notebook(*cells):
    return {"cells": [{"cell_type": "code", "source": cell} for cell in cells]}


def test_the_catalogue_is_what_the_notebooks_ask():
    fresh = asked.read(LABS)
    again = "python -m constraintlab.room.asked labs"
    assert json.loads(FILE.read_text(encoding="utf-8")) == fresh, f"write it anew: {again}"
    assert len(fresh) > 30


def test_options_are_read_through_names_lists_and_dicts():
    (found,) = asked.questions("09", notebook(
        "a = {'x': 1, f'about {n}': 2}", "b = {'k': 'y'}",
        "lab.predict('q', f'Of {n}, ' 'which?', [*a, *list(b.values()), 'z'])",
        "lab.reveal('q', truth, 'because', value=x, unit='× more')",
    ))  # fmt: skip
    assert found == {
        "lab": "09", "key": "q", "question": "Of …, which?",
        "options": ["x", "about …", "y", "z"], "unit": "× more",
    }  # fmt: skip


@pytest.mark.parametrize("options", ["make()", "[f(x) for x in y]", "unknown"])
def test_options_that_only_running_would_tell_are_named(options):
    with pytest.raises(asked.Unread, match="without running"):
        asked.questions("09", notebook(f"lab.predict('q', 'Which?', {options})"))


def test_an_answer_that_each_laptop_works_out_has_the_same_place_on_all():
    question = Question("04", "wall", "How many?", ("4", "about …", "32"))
    assert [question.place(a) for a in ("4", "about 17", "about 3", "32")] == [0, 1, 1, 2]
    assert question.place("about") is None and question.place("none") is None
    assert question.place("about " + 99 * "x") is None


def test_every_resource_among_the_options_is_known_by_its_label():
    known = catalogue.load()
    assert catalogue.resource("KV capacity") == "kv_capacity"
    assert catalogue.resource("over half") is None
    assert known.find("05", "after").options[0] == "KV capacity"


def test_units_have_the_form_that_the_page_reads():
    units = {q.unit for q in catalogue.load().questions if q.unit}
    assert units and all(u[:2] in ("× ", "% ") or u in ("bytes", "tokens/s") for u in units)
