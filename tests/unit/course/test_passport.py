"""The passport: nothing yet, under way, with a damaged file; as text, JSON and a page."""

import json
from collections import Counter
from html.parser import HTMLParser

import pytest

from constraintlab.course.hints import HINTS
from constraintlab.course.passport import passport
from constraintlab.course.passport_command import main, show
from constraintlab.course.passport_html import page
from constraintlab.course.progress import Progress
from constraintlab.limits.resource import Resource
from tests.unit.course.learner import learn


@pytest.fixture
def progress(tmp_path):
    return Progress(tmp_path / "progress.json", say=lambda line: None)


@pytest.fixture
def learned(progress):
    learn(progress)
    return progress


def test_it_holds_what_each_lab_left(learned):
    found = passport(learned)
    assert [lab.number for lab in found.labs] == [f"{i:02d}" for i in range(9)]
    one = found.labs[1]
    assert (one.done, one.constraint, one.note) == (True, Resource.COMPUTE, "×3.1")
    assert [(r.name, r.x.value) for r in one.runs] == [("textbook", 4100), ("workspace", 12300)]
    assert [(a.key, a.choice, a.right) for a in one.asked] == [
        ("binds", "fresh pages", True), ("fix", None, False),
    ]  # fmt: skip
    assert one.open == {"later": "a"} and one.hints == {"score_peak": 1}
    assert one.checks == {"score_peak": False} and set(one.fixes) == {"workspace", "no autograd"}
    assert found.labs[3].begun and not found.labs[3].done and not found.labs[2].begun
    assert found.done == 2 and found.solved == (1, len(HINTS))
    assert found.transfer == {"before": (3, 12), "after": None}
    assert (found.learner.asked, found.learner.right, found.predictor.n) == (3, 1, 2)


def said(found, capsys, width=100):
    show(found, width)
    return capsys.readouterr().out


def test_the_terminal_shows_all_of_it(learned, capsys):
    text = said(passport(learned), capsys)
    for part in (
        "00 no limit → 01 ● compute", "2 of 9", "Brier score 0.45", f"1 of {len(HINTS)} solved",
        "before the labs: 3 of 12 points", "after the labs: not taken", "12.3 k tok/s",
        "compute and bandwidth", "What binds <naive> attention?", "fresh pages, think so",
        "not revealed yet", "×3.10", "✗ score_peak (1 hint)", "AMD EPYC, 2 cores, AVX2",
    ):  # fmt: skip
        assert part in text, part


def test_a_narrow_terminal_cuts_nothing_off(learned, capsys):
    wide, narrow = (said(passport(learned), capsys, width) for width in (160, 72))
    assert max(map(len, narrow.splitlines())) <= 72
    letters = [Counter("".join(text.split())) for text in (wide, narrow)]
    assert letters[0] == letters[1]


def test_a_newcomer_is_told_where_to_begin(progress, capsys, tmp_path):
    assert main(progress=progress) == 0
    assert "`make lab` opens lab 00" in capsys.readouterr().out
    assert "<code>make lab</code>" in page(passport(progress), progress)


def test_a_damaged_file_is_told_on_stderr_and_json_stays_alone(tmp_path, capsys, monkeypatch):
    from constraintlab.course import progress as module
    from constraintlab.limits.home import Home

    monkeypatch.setattr(module, "home", lambda: Home(tmp_path))
    (tmp_path / "progress.json").write_text("{")
    assert main(json=True) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["labs"][0]["done"] is False
    assert err.startswith("passport: progress.json was unreadable")


def test_what_can_t_be_read_is_left_out(progress):
    for part in ("runs", "reveals", "forecasts", "hints", "strip", "checks", "predictions"):
        for key, value in (("cell", 3), ("x", {"x": 1}), ("y", None), ("z", [1])):
            progress.put("01", part, key, value)
    progress.put("02", "strip", "cell", {"constraint": "gravity", "note": None})
    found = passport(progress)
    assert found.labs[1].runs == found.labs[1].asked == () and not found.labs[1].done
    assert found.labs[2].done and found.labs[2].constraint is None
    json.dumps(found.as_dict(), allow_nan=False)
    assert "gravity" not in page(found, progress)


def test_json_has_the_same_and_no_infinity(learned, capsys):
    learned.change("01", "runs", "textbook", lambda r: {**r, "x": {**r["x"], "high": float("inf")}})
    assert main(json=True, progress=learned) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["transfer"] == {"before": {"points": 3, "of": 12}, "after": None}
    assert found["learner"]["brier"] == pytest.approx((0.81 + 0.09) / 2)
    one = found["labs"][1]
    assert one["constraint"] == "compute" and one["runs"][0]["x"]["high"] is None
    assert one["fixes"]["workspace"]["measured"]["value"] == 3.1
    assert one["predictions"][0]["right"] is True


class Tags(HTMLParser):
    """Open tags, in order, and each attribute's value."""

    VOID = ("meta", "br", "img", "link")

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.ids = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_no_network_and_is_well_formed(learned, tmp_path):
    file = tmp_path / "passport.html"
    assert main(html=file, progress=learned) == 0
    text = file.read_text(encoding="utf-8")
    tags = Tags(text)
    assert tags.open == [] and len(set(tags.ids)) == len(tags.ids)
    assert not [v for n, v in tags.attributes if n in ("src", "href") and not v.startswith("#")]
    assert "<script" not in text and "@import" not in text and "url(http" not in text
    assert text.count("<figure") == text.count("<svg") == 2
    assert "prefers-color-scheme: dark" in text and "@media print" in text
    assert "What binds &lt;naive&gt; attention?" in text and "<naive>" not in text
    assert list(tmp_path.glob("*.part")) == []


def test_a_page_that_can_t_be_written_says_so(learned, tmp_path, capsys):
    assert main(html=tmp_path / "no" / "x.html", progress=learned) == 2
    assert "can't be written" in capsys.readouterr().err
