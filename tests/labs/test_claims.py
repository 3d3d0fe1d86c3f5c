"""No notebook's Markdown says what binds on a machine that it has not seen."""

import copy

import pytest

from constraintlab.limits.resource import Resource
from tests.labs.claims import claimed, unfounded
from tests.labs.test_meta import LABS, load

ARTICLE = "the article's words, which the lab tests"
ASKED = "asks, and does not say"
IF = "says: if, or where"
RULE = "a rule, true of any machine"

ALLOWED = {
    "00": {
        "name the one that binds": ASKED,
        "below it bandwidth binds, above it compute does": "what a ridge is",
        "name the side that binds": ASKED,
    },
    "01": {
        "The GPU is the bottleneck": ARTICLE,
        "claim was a GPU at 98% being the bottleneck": ARTICLE,
        "the lab picks a shorter prompt and the verdict is compute": "test_machines has such a CPU",
        "if that resource binds": IF,
    },
    "02": {
        "Where bandwidth binds (decode!)": IF,
        "On a CPU the same bound is soft": "of a prompt's length, by the code that is named",
    },
    "03": {"a running softmax, and the bound is gone": "of a prompt's length, by its algorithm"},
    "04": {
        "The GPU is the bottleneck": ARTICLE,
        "no measure of a bottleneck": RULE,
    },
    "05": {"On a machine whose kernels are fast that is soon the host": IF},
    "06": {"you watch where the constraint goes": ASKED},
    "07": {
        "Until something binds at the door": IF,
        "a good fix to something that does not bind": "counted: the slots can't fill that pool",
        "nothing binds on average, and the tail is": "what the verdict offered load means",
    },
    "08": {
        "say where the constraint goes": ASKED,
        "each of them was the bottleneck": "of the map's path, which is measured",
    },
}  # fmt: skip
"""By lab: a part of a sentence → why it is no claim about the machine that reads it."""


@pytest.mark.parametrize("path", LABS, ids=lambda p: p.stem)
def test_what_binds_is_said_by_code(path):
    assert unfounded(load(path), ALLOWED[path.name[:2]]) == []


PLANTED = [
    "Nowhere yet: bandwidth bound before and bandwidth binds after.",
    "Out of memory traffic, into arithmetic: the strip's last cell.",
    "In prefill the layer waits for its matrices.",
    "In decode it waits for the **host** while layers are thin.",
    "From the one slot that everybody waited for to **KV capacity**.",
    "From the **network** back to the engine, in fewer frames.",
    "The constraint has left the kernels.",
    "It is limited by the *bandwidth*.",
    "On this machine that is the host.",
    "Here the gaps bind.",
]
"""Most of them stood in a lab once."""


@pytest.mark.parametrize("sentence", PLANTED)
@pytest.mark.parametrize("path", LABS[:1], ids=lambda p: p.stem)
def test_a_planted_claim_is_found(path, sentence):
    notebook = copy.deepcopy(load(path))
    notebook["cells"][0]["source"] += f"\n\n{sentence}"
    found = unfounded(notebook, ALLOWED[path.name[:2]])
    assert found and all("on every machine" in line for line in found)


def test_an_entry_of_the_list_that_no_sentence_needs_is_found():
    assert unfounded({"cells": []}, {"compute binds": IF}) == [
        "allowed, and nowhere said: 'compute binds'"
    ]


@pytest.mark.parametrize(
    ("text", "resources"),
    [
        ("**Here: fresh pages, with compute close behind.** x", {Resource.PAGES}),
        ("slots bind; without any link, host and client bound.",
         {Resource.SLOTS, Resource.HOST, Resource.CLIENT}),
        ("**Perhaps KV capacity: the tool is not sure.**", {Resource.KV_CAPACITY}),
        ("it waits for the bandwidth", {Resource.BANDWIDTH}),
        ("The verdict names offered load.", {Resource.DEMAND}),
        ("the host's share is 3%; more slots let more in", set()),
    ],
)  # fmt: skip
def test_names_are_read_off_a_text(text, resources):
    assert claimed(text) == resources


@pytest.mark.parametrize("sentence", ["What binds now?", "Busy says nothing.", "KV is full."])
def test_what_claims_nothing_is_let_be(sentence):
    assert unfounded({"cells": [{"cell_type": "markdown", "source": sentence}]}, {}) == []
