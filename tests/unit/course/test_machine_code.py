"""Tiers that say why, and codes that come back as they went or not at all."""

import pytest

from constraintlab.course import machine_code, tier
from constraintlab.course.looks import Check
from constraintlab.course.machine_code import ALPHABET, code, read
from constraintlab.course.tier import Facts

LAPTOP = Facts(8, 16, 9.5, "AVX2", "none", 0, "Linux", (3, 12), (2, 13), (0, 1))
SERVER = Facts(
    52, 1006, 63, "AVX512", "usable", 80, "Linux", (3, 13), (2, 11), (1, 2)
)  # fmt: skip
FOUND = [
    Check("memory", "1", "note"), Check("Triton", "no", "problem"), Check("cores", "8"),
    Check("compute.bfloat16", "slow", "note"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "tier", "why"),
    [
        (LAPTOP, "CPU", "no NVIDIA GPU; 8 cores and 10 GiB are enough"),
        (SERVER, "GPU", "torch can use a GPU of 80 GiB"),
        (Facts(8, 16, 9, gpu="unusable"), "CPU", "torch can't use its GPU"),
        (Facts(4, 4, 1.2), "small", "1.2 GiB of memory available, and 2 are asked for: start with"),
        (Facts(1, 8, 6), "small", "1 core, and 2 are asked for: start with CONSTRAINTLAB_PRESET"),
    ],
)
def test_each_tier_says_why(facts, tier, why):
    assert facts.tier == tier and why in facts.why


@pytest.mark.parametrize("facts", [LAPTOP, SERVER, Facts(0.5, 1, 0.5, os="Windows")])
def test_a_code_is_read_back(facts):
    text = code(facts, FOUND)
    there, found = read(text)
    assert there == facts and len(text.replace("-", "")) == 20
    assert [(c.what, c.state) for c in found] == [
        ("Triton", "problem"), ("memory", "note"), ("ceilings", "note"),
    ]  # fmt: skip


def test_what_is_too_large_or_unknown_is_not_an_error():
    huge = Facts(500, 4000, 900, "RVV", "usable", 900, "Haiku", (3, 40), (9, 99), (12, 99))
    there, _ = read(code(huge, []))
    assert (there.cores, there.memory, there.isa, there.os) == (127.5, 1023, "other", "other")
    assert there.tier == "GPU"


def test_people_may_write_it_as_they_like():
    text = code(LAPTOP, [])
    for written in (text.lower(), text.replace("-", ""), f" {text.replace('-', ' ')} ",
                    text.replace("1", "I").replace("0", "o")):  # fmt: skip
        assert read(written)[0] == LAPTOP


def test_every_wrong_letter_and_every_swap_is_noticed():
    text = code(LAPTOP, FOUND).replace("-", "")
    wrong = [text[:i] + a + text[i + 1 :] for i in range(20) for a in ALPHABET if a != text[i]]
    wrong += [
        text[:i] + text[i + 1] + text[i] + text[i + 2 :] for i in range(19)
        if text[i] != text[i + 1]
    ]  # fmt: skip
    for one in wrong:
        with pytest.raises(ValueError, match="mistyped"):
            read(one)


@pytest.mark.parametrize(("text", "why"), [("ABC", "has 3"), ("", "has 0"), ("U" * 20, "'U' is")])
def test_what_is_no_code_says_why(text, why):
    with pytest.raises(ValueError, match=why):
        read(text)


def test_a_code_of_a_later_format_is_not_guessed_at(monkeypatch):
    monkeypatch.setattr(machine_code, "FORMAT", 2)
    text = code(LAPTOP, [])
    monkeypatch.undo()
    with pytest.raises(ValueError, match="format 2"):
        read(text)


def test_a_machine_without_a_driver_or_with_a_broken_one():
    def broken():
        raise RuntimeError("no driver")

    assert tier._gpu(broken, broken) == ("none", 0.0)
    assert tier._gpu(lambda: ["H100"], broken) == ("unusable", 0.0)
    assert tier._gpu(lambda: ["H100"], lambda: (False, None)) == ("unusable", 0.0)


def test_this_machine_has_a_tier_and_a_code():
    here = tier.facts()
    assert here.cores > 0 and here.memory >= here.available > 0
    assert here.torch > (2, 0) and here.package == (0, 1)
    assert read(code(here, []))[0].tier == here.tier
