"""The sentences that follow a verdict: its names, its doubts, and nothing else's."""

from dataclasses import replace

import pytest

from constraintlab.course.lab import Lab
from constraintlab.course.progress import Progress
from constraintlab.course.story import binds, here, went
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import HostStage, Stack
from constraintlab.limits.verdict import Verdict
from constraintlab.limits.work import Kernel, Work
from constraintlab.panel.sentence import sentence, text
from tests.unit.limits.cases import GIGA, machine

STORIES = {Resource.BANDWIDTH: "Bytes.", Resource.COMPUTE: "FLOPs."}


def found(flops=0.0, nbytes=0.0, host=0.0, seen=None):
    """A verdict on one kernel and its dispatch. seen: measured throughput ÷ the model's."""
    stack = Stack((Kernel("k", Work(flops, nbytes)),), (HostStage("dispatch", fixed=host),))
    said = diagnose(stack, machine())
    if seen is None:
        return said
    x = said.predicted * seen
    return diagnose(stack, machine(), measured=Estimate(x, x, x, "tok/s"))


BYTES = found(nbytes=GIGA)


def test_the_story_is_that_of_what_binds():
    assert here(BYTES, STORIES) == "**Here: bandwidth.** Bytes."
    assert here(found(flops=1e12), STORIES) == "**Here: compute.** FLOPs."
    assert here(found(host=1.0), STORIES) == "**Here: host.** 100% of a token's cost is host."
    close = here(found(nbytes=GIGA, host=0.95), STORIES)
    assert close == "**Here: bandwidth, with host close behind.** Bytes."


@pytest.mark.parametrize(("seen", "word"), [(0.6, "faster"), (1.5, "slower")])
def test_where_the_panel_does_not_believe_it_the_text_does_not_either(seen, word):
    doubtful = found(nbytes=GIGA, seen=seen)
    assert "explain" in text(sentence(doubtful))
    said = here(doubtful, STORIES)
    assert said.startswith("**Perhaps bandwidth: the tool is not sure.** ")
    assert f"would have been {word}" in said and "Here:" not in said and said.endswith(" Bytes.")
    assert here(found(nbytes=GIGA, seen=0.9), STORIES) == "**Here: bandwidth.** Bytes."


def test_windows_that_disagree_are_doubts_too():
    said = here(replace(BYTES, doubts=("2 of 3 windows alone would name host",)), STORIES)
    assert said.startswith("**Perhaps bandwidth") and "2 of 3 windows" in said


def test_no_verdict_is_no_story():
    none = Verdict("insufficient evidence", (), (), {}, {}, None, None, missing=("bandwidth",))
    assert here(none, STORIES) == "**Insufficient evidence.** bandwidth"
    assert "can't be told" in went(none, BYTES) and "can't be told" in went(BYTES, none)


def test_it_moved_or_it_stayed():
    flops = found(flops=1e12)
    assert went(BYTES, flops, 3.05) == (
        "**It moved: bandwidth → compute.** Before, bandwidth bound; now, compute binds, at ×3.05 "
        "the throughput."
    )
    assert went(BYTES, BYTES, Estimate(1.01, 0.9, 1.1, "×")) == (
        "**It stayed.** Before and after, bandwidth binds, at about the same throughput."
    )
    assert went(flops, BYTES).endswith("now, bandwidth binds.")


def test_a_move_between_verdicts_that_are_not_sure_says_which():
    doubtful = found(nbytes=GIGA, seen=0.6)
    assert "not sure of what bound before:" in went(doubtful, BYTES)
    assert "not sure of what bound before and what binds now:" in went(doubtful, doubtful)
    assert "sure" not in went(BYTES, BYTES)


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ((Resource.COMPUTE,), "compute binds"),
        ((Resource.SLOTS,), "slots bind"),
        ((Resource.HOST, Resource.CLIENT), "host and client bind"),
        ((), "nothing binds"),
    ],
)
def test_grammar(resources, words):
    assert binds(resources) == words


class Notes:
    """A recorder that keeps (what was done, the rest)."""

    def __init__(self):
        self.kept = []

    def note(self, do, **said):
        self.kept.append((do, said))


def test_a_recording_keeps_what_was_said_beside_what_bound(tmp_path):
    lab = Lab("00", Progress(tmp_path / "progress.json"))
    lab.recorder, kept = (notes := Notes()), notes.kept
    shown = lab.explain(BYTES, STORIES), lab.went(BYTES, found(flops=1e12))
    assert [do for do, _ in kept] == ["said", "said"]
    assert [said["constraints"] for _, said in kept] == [
        [["bandwidth"]], [["bandwidth"], ["compute"]],
    ]  # fmt: skip
    assert [said["text"] for _, said in kept] == list(map(str, shown))
