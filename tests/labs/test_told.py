"""Labs 04 to 08, whatever binds: what their code tells is what the verdicts given to it say."""

from itertools import product
from math import inf
from types import SimpleNamespace as Seen

import pytest

from constraintlab.course import story, tail_tables, tail_virtual
from constraintlab.course.lab import Lab
from constraintlab.course.show import Text
from constraintlab.course.tiers import Tiers, device, stack, verdict
from constraintlab.engine.setup import Setup
from constraintlab.engine.virtual.machines import h100
from constraintlab.limits.compose import throughput
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import HostStage, Stack, Station
from constraintlab.limits.work import Kernel, Work
from constraintlab.load import profiles
from tests.labs.claims import claimed
from tests.labs.modelled import once, told
from tests.labs.test_meta import LABS, load
from tests.unit.limits.cases import GIGA, machine

NOTEBOOKS = {p.name[:2]: load(p) for p in LABS[4:]}
STEP = Kernel("weights", fixed=Work(bytes=4e-3 * GIGA))
"""Four milliseconds that sequences share."""


def stack_of(resource):
    """An engine's step of 4 ms and more, in front of which this binds."""
    crowd = {"population": inf, "slots": 32.0, "kv_room": 64.0}
    each = {
        Resource.COMPUTE: Work(flops=2e9), Resource.BANDWIDTH: Work(bytes=2e-3 * GIGA),
        Resource.PAGES: Work(fresh=2e-3 * GIGA),
    }  # fmt: skip
    if resource in each:
        return Stack((STEP, Kernel("own", each[resource])), **crowd)
    if resource is Resource.HOST:
        return Stack((STEP,), (HostStage("dispatch", each=2e-3),), **crowd)
    if resource is Resource.SLOTS:
        return Stack((STEP,), **crowd | {"slots": 1.0})
    if resource is Resource.KV_CAPACITY:
        return Stack((STEP,), **crowd | {"kv_room": 4.0})
    if resource is Resource.DEMAND:
        return Stack((STEP,), **crowd, offered=100.0)
    return Stack((STEP,), stations=(Station("after", resource, 1e-2),), **crowd)


def found(resource, seen=1.0):
    """A verdict that names it. seen: measured throughput ÷ the model's."""
    made, caps = stack_of(resource), machine()
    x = throughput(made, caps) * seen
    verdict = diagnose(made, caps, measured=once(x, "tok/s"))
    assert verdict.constraint[0] is resource
    return verdict


class Teller:
    """In the place of a lab whose predictions nobody asked: a reveal is its truth and reason."""

    explain = lambda self, verdict, stories: Text(story.here(verdict, stories))  # noqa: E731
    went = lambda self, *what: Text(story.went(*what))  # noqa: E731
    within = Lab.within

    def reveal(self, key, truth, because, value=None, unit=""):
        return Text(f"{truth}. {because}")


BASE = {"lab": Teller(), "story": story, "show": Seen(Text=Text), "Resource": Resource}
EVERY = list(Resource)
verdicts = pytest.mark.parametrize(
    "what", [found(r, x) for r, x in product(EVERY, (1.0, 0.6))],
    ids=lambda v: f"{v.constraint[0].value}{'' if v.fits else ', doubtful'}",
)  # fmt: skip


def follows(text, *verdicts):
    """Names what the first of them names, as surely, and nothing that none of them does."""
    first = verdicts[0]
    head = "Here: " if first.fits else "Perhaps "
    assert text.startswith(head + first.constraint[0].label)
    assert claimed(text) <= {r for v in verdicts for r in v.constraint}


def moved(text, before, after):
    was, now = story.names(before.constraint), story.binds(after.constraint)
    same = before.constraint == after.constraint
    assert (f"Before and after, {now}" if same else f"Before, {was} bound; now, {now}") in text
    assert ("not sure" in text) == (not (before.fits and after.fits))


@verdicts
def test_lab_04(what):
    alone = Seen(verdict=what, gap=Seen(fixed=3e-3))
    names = BASE | {"alone": alone}
    (text,) = told(NOTEBOOKS["04"], 4, names, "explain")
    follows(text, what)
    window = Seen(forward=0.8)
    names |= {"wall": Seen(verdict=what, peak_share=0.01), "w": window}
    (text,) = told(NOTEBOOKS["04"], 16, names, "explain")
    follows(text, what)
    for other in (found(Resource.KV_CAPACITY), found(Resource.HOST, 1.6)):
        names |= {"wall": Seen(verdict=other)}
        (text,) = told(NOTEBOOKS["04"], 21, names, "went")
        moved(text, what, other)


def test_lab_04_says_that_sharing_saves_less_than_half_where_the_host_comes_first():
    """Its story of a host that binds though others wait, against the shares of such a verdict."""
    what = found(Resource.HOST)
    assert what.stack.cap is Resource.SLOTS and what.shares[Resource.SLOTS] < 0.5
    alone = Seen(verdict=what, gap=Seen(fixed=3e-3))
    (text,) = told(NOTEBOOKS["04"], 4, BASE | {"alone": alone}, "explain")
    assert "less than half" in text


@verdicts
def test_lab_05(what):
    narrow = Stack((STEP,), population=inf, slots=32.0, kv_room=2.0)
    wall = diagnose(narrow, machine())
    names = BASE | {"full": Seen(verdict=what), "wall": Seen(verdict=wall), "w": Seen(batch=28.0)}
    (text,) = told(NOTEBOOKS["05"], 11, names, "explain")
    follows(text, what)
    if what.constraint[0] in (Resource.HOST, Resource.KV_CAPACITY):
        assert f"×{what.worth[Resource.KV_CAPACITY]:.2f}" in text
    if what.constraint[0] is Resource.KV_CAPACITY:
        assert f"×{wall.worth[Resource.KV_CAPACITY]:.2f} before" in text
        assert f"share is {what.shares[Resource.HOST]:.0%}" in text


@pytest.mark.parametrize(("calm", "batches"), [(0.04, (6.2, 6.2)), (0.2, (6.2, 5.1))])
def test_lab_05_tells_of_the_watermark_what_was_counted(calm, batches):
    kept = {
        name: Seen(whole=Seen(batch=b)) for name, b in zip(("none", "40%"), batches, strict=True)
    }
    parts = {"under 10%": 0.1, "10% to 30%": 0.3, "over 30%": 1}
    names = BASE | {"lost": {"none": 0.18, "40%": calm}, "kept": kept, "parts": parts}
    (text,) = told(NOTEBOOKS["05"], 17, names, "reveal")
    assert text.startswith("10% to 30%. 18%;") and f"it is {calm:.0%}" in text
    assert f"at {batches[1]} sequences a step instead of {batches[0]}" in text


def streamed(verdict, rate=1000.0):
    return Seen(verdict=verdict, rate=rate, front_us=20.0, engine_us=30.0,
                ran=Seen(wire_bytes=212.0, rate=once(rate, "tok/s")))  # fmt: skip


@verdicts
def test_lab_06(what):
    free, link = found(Resource.CLIENT), found(Resource.NETWORK)
    names = BASE | {"free": streamed(free), "starved": streamed(what), "carries": 1e6}
    (text,) = told(NOTEBOOKS["06"], 6, names, "explain")
    follows(text, what, free)
    names |= {"starved": streamed(link), "eight": streamed(what, 3000.0), "gain": 3.0}
    (text,) = told(NOTEBOOKS["06"], 14, names, "explain")
    follows(text, what, free)
    host = what.constraint[0] is Resource.HOST
    assert ("Without any link, client bound" in text) == host
    names |= {"many": streamed(free), "shared": streamed(what, 2000.0)}
    (text,) = told(NOTEBOOKS["06"], 16, names, "explain")
    follows(text, what, free)
    assert ("before, client bound" in text) == host
    first, second = told(NOTEBOOKS["06"], 22, names, "went")
    moved(first, link, what)
    moved(second, free, what)
    assert "×3.00" in first and "×2.00" in second


@pytest.mark.parametrize(
    ("worse", "truth"),
    [(1.196, "longer by a fifth or more"), (1.194, "about the same"), (2.5, "twice as long")],
)
def test_lab_06_says_of_a_slow_reader_what_its_figure_says(worse, truth):
    names = BASE | {"worse": round(worse, 2), "stall": Seen(waited=3.0, largest=9, worse=worse)}
    (text,) = told(NOTEBOOKS["06"], 19, names, "reveal")
    assert text.startswith(truth) and f"×{worse:.2f}" in text


@pytest.mark.parametrize("load", [0.6, 1.3])
@verdicts
def test_lab_07(what, load):
    names = BASE | {"street": Seen(verdict=what)}
    names |= {
        "behind": f"What came is {load:.0%} of it: near all",
        "came_to": f"What came is {load:.0%} of it",
    }
    (text,) = told(NOTEBOOKS["07"], 6, names, "explain")
    follows(text, what)
    assert ("there is room" in text) == (what.outcome == "demand")


def test_lab_07_says_of_the_tail_what_its_bills_say():
    setup = Setup(policy="chunked", slots=4, tokens=512, blocks=4096)
    source, days = profiles.load("reasoning", 24.0, 1024), []
    for name, slots in (("few", 4), ("ample", 256)):
        days.append(tail_virtual.many(name, source, 200, 40.0, Setup(
            policy=setup.policy, slots=slots, tokens=512, blocks=4096), h100()))  # fmt: skip
    causes = [next(iter(day.tail().shares)) for day in days]
    assert causes == ["slots", "prompt"]
    text = tail_tables.moved(*days)
    assert "few: a slot (" in text and "ample: its own prompt (" in text
    assert f"({days[0].tail().shares['slots']:.0%})" in text
    names = BASE | {"street": days[0], "mlfq": days[1], "many": days[0], "cut_off": days[1]}
    said = told(NOTEBOOKS["07"], 22, names | {"tail_tables": tail_tables}, "moved")
    assert said[0] == text and said[1] == tail_tables.moved(*days, " (modelled: an H100)")


@pytest.mark.parametrize("seen", [1.0, 0.6])
def test_lab_08(seen):
    def ran(tiers):
        x = throughput(stack(tiers), device()) * seen
        return Seen(tiers=tiers, verdict=verdict(tiers, once(x, "tok/s")), x=x)

    base, two, three, four = (ran(t) for t in (Tiers(1, 1), Tiers(1, 2), Tiers(1, 3), Tiers(2, 3)))
    names = BASE | {"base": base, "two": two, "three": three, "four": four}
    for key, (a, b) in {"x": (base, two), "y": (two, three), "z": (three, four)}.items():
        names[key] = Estimate(b.x / a.x, b.x / a.x, b.x / a.x, "×", "measured")
    (text,) = told(NOTEBOOKS["08"], 11, names, "explain")
    follows(text, base.verdict)
    (text,) = told(NOTEBOOKS["08"], 13, names, "reveal")
    assert f"now, {story.binds(two.verdict.constraint)}" in text
    (text,) = told(NOTEBOOKS["08"], 15, names, "reveal")
    assert text.startswith("about the same") and "had left the tier" in text
    (text,) = told(NOTEBOOKS["08"], 15, names | {"two": base}, "reveal")
    assert "had left" not in text and "With two of them, slots bind" in text
    text = told(NOTEBOOKS["08"], 16, names, "Text")[-1]
    assert "slots → compute → compute → slots" in text
