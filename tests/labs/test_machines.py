"""Labs 00 to 03 on machines of many kinds: what they tell is what their own panel says."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

import constraintlab.course as course
from constraintlab.attention import flash, fused, naive, perturb, workspace
from constraintlab.course import (
    fixes,
    fusing,
    gaps,
    ladder,
    memory,
    prefill,
    pushing,
    rungs,
    story,
    update,
)
from constraintlab.course.layer import Layer
from constraintlab.course.measure import Rounds
from constraintlab.course.progress import Progress
from constraintlab.course.pushing import Pushed
from constraintlab.limits import cgroup
from constraintlab.limits.compose import throughput
from constraintlab.limits.resource import Resource
from constraintlab.panel.sentence import sentence, text
from tests.labs.claims import claimed
from tests.labs.machines import MACHINES
from tests.labs.modelled import ModelledLab, nothing_computed, once, run
from tests.labs.test_meta import LABS, load

NOTEBOOKS = {p.name[:2]: load(p) for p in LABS[:4]}
every = pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name)


@pytest.fixture
def begin(monkeypatch, tmp_path):
    """A lab on a machine, with nothing computed and nothing asked of this one."""
    nothing_computed(monkeypatch)
    monkeypatch.setattr(cgroup, "available_bytes", lambda: 8 << 30)

    def at(number, machine):
        lab = ModelledLab(number, machine, Progress(tmp_path / f"{number}.json"))
        monkeypatch.setattr(course, "Lab", lambda wanted: lab)
        return lab

    return at


def held(ran, *verdicts):
    """Every name that is told to bind is one that a panel names; no claim fails."""
    named = {r for v in verdicts for r in v.constraint}
    assert claimed(ran.text) <= named, f"{claimed(ran.text) - named} in {ran.text}"
    assert "DOES NOT HOLD" not in ran.text


def follows(told, verdict):
    """A story is as sure as the panel is, and of the same resource."""
    head = "Here: " if verdict.fits else "Perhaps "
    assert told.startswith(head + verdict.constraint[0].label)
    assert ("explain" in text(sentence(verdict))) is not verdict.fits


def moved(told, before, after, gain):
    """Where it went, by the two panels and the race."""
    was, now = story.names(before.constraint), story.binds(after.constraint)
    same = before.constraint == after.constraint
    assert (f"Before and after, {now}" if same else f"Before, {was} bound; now, {now}") in told
    assert ("It stayed" in told) == (before.constraint[0] is after.constraint[0])
    assert ("not sure" in told) == (not (before.fits and after.fits))
    (said,) = re.findall(r"×([\d.]+) the throughput|about the same throughput", told)
    assert gain == pytest.approx(float(said or 1), abs=0.06)


def lab00(begin, monkeypatch, machine, reached):
    lab = begin("00", machine)
    ways = {"three passes": update.three_passes, "no division": update.no_division,
            "one pass": update.one_pass}  # fmt: skip
    n, caps = 24_000_000, machine.caps
    lab.stacks = {name: update.stack(of, n, caps) for name, of in ways.items()}
    lab.reached = reached
    monkeypatch.setattr(update, "length", lambda least, free: n)
    monkeypatch.setattr(update.Arrays, "make", lambda n, device: SimpleNamespace(nbytes=4 * n))
    return lab, run(NOTEBOOKS["00"], [2, 5, 7, 9, 10, 11, 13, 18, 19, 20, 21, 22], {})


@every
def test_lab_00(begin, monkeypatch, machine):
    lab, ran = lab00(begin, monkeypatch, machine, {})
    first, last = lab.verdicts
    held(ran, first, last)
    follows(next(t for t in ran.told if t.startswith(("Here", "Perhaps"))), first)
    moved(ran.one("Before"), first, last, 2.0)
    assert "The verdict names bandwidth." in ran.one("measured: one pass (")


@pytest.mark.parametrize(
    ("reached", "truth"),
    [
        ({"no division": 1.5}, "both"),
        ({"no division": 1.5, "one pass": 0.5}, "no division"),
        ({"one pass": 0.5}, "neither"),
    ],
)
def test_lab_00_where_the_race_and_the_tool_disagree(begin, monkeypatch, reached, truth):
    _, ran = lab00(begin, monkeypatch, MACHINES[0], reached)
    told = ran.one(f"measured: {truth} (")
    assert "decoy" not in told and "otherwise" in told


def lab01(begin, monkeypatch, machine):
    lab = begin("01", machine)
    monkeypatch.setattr(fixes, "strength", lambda shape, wait: once(1.3))
    monkeypatch.setattr(perturb, "pushes", lambda *args: ())
    ran = run(NOTEBOOKS["01"], [1, 2, 6, 7, 8], {})
    names, caps = ran.names, machine.caps
    shape, before = names["shape"], lab.verdicts[0]
    stacks = {n: rungs.rung_stack(m.kernels(shape), shape, caps)
              for n, m in (("plain", naive), ("workspace", workspace))}  # fmt: skip
    lab.stacks = stacks
    gain = {"no autograd": once(1.0), "workspace": lab.gain("workspace", over="plain")}
    monkeypatch.setattr(fixes, "race_fixes", lambda *args, **options: gain)
    grown = [
        rungs.Growth(s, w.bytes, p, p, w.fresh, None, w.bytes)
        for s in (1024, 2048, 4096)
        for w, p in [(naive.work(shape.at(s)), naive.peak_bytes(shape.at(s)))]
    ]
    # Of the resources that are pushed, what binds is what costs most: as the model has it.
    costs = {r: 1.0 + before.shares[r] / 2 for r in Resource}
    pushed = [Pushed(perturb.Push(r, "more", lambda: None), x, once(x)) for r, x in costs.items()]
    monkeypatch.setattr(pushing, "push_each", lambda *args, **options: pushed)
    names |= {"grown": grown, "tried": memory.Ceiling(1, (), (), "modelled"), "kept": None}
    more = run(NOTEBOOKS["01"], [13, 19, 20, 21, 22], names)
    more.told = ran.told + more.told
    return lab, more, gain["workspace"].value


@every
def test_lab_01(begin, monkeypatch, machine):
    lab, ran, gain = lab01(begin, monkeypatch, machine)
    first, last = lab.verdicts
    held(ran, first, last)
    label = first.constraint[0].label
    assert ran.one(f"measured: {label} (")
    follows(next(t for t in ran.told if t.startswith(("Here", "Perhaps"))), first)
    moved(ran.one("Before"), first, last, gain)
    pushed = ran.one("Confirmed:")
    assert label in pushed and f"names {story.names(first.constraint)}" in pushed
    assert f"the host's share is {first.shares[Resource.HOST]:.0%}" in ran.text


def test_a_push_that_does_not_bear_the_verdict_out_is_told_as_such(begin, monkeypatch):
    _, ran, _ = lab01(begin, monkeypatch, MACHINES[0])
    verdict, pushed = ran.names["run"].verdict, ran.names["pushed"]
    other = [replace(p, measured=once(9.0 if p.push.resource is Resource.HOST else 1.0))
             for p in pushed]  # fmt: skip
    said = pushing.told(other, verdict)
    assert said.startswith("**Not confirmed:** what cost most was more of host, and the verdict")
    assert f"names {story.names(verdict.constraint)}." in said


def test_where_bf16_is_emulated_a_prompt_short_enough_waits_for_arithmetic():
    """Lab 01's words beside its table of steps."""
    caps = MACHINES[0].caps
    low = rungs.Shape.square(4096, heads=2, dtype=torch.bfloat16)
    low = rungs.fitting_length(naive.kernels, low, caps, seconds=0.5)
    spent = rungs.spent(rungs.rung_stack(naive.kernels(low), low, caps), caps)
    assert low.queries < 4096 and max(spent, key=spent.get) is Resource.COMPUTE


def test_on_an_h100_the_passes_bind_the_textbook_as_lab_01_says():
    gpu = MACHINES[-1]
    shape = rungs.Shape.square(4096, heads=2, device="cuda")
    spent = rungs.spent(rungs.rung_stack(naive.kernels(shape), shape, gpu.caps), gpu.caps)
    assert max(spent, key=spent.get) is Resource.BANDWIDTH


def lab02(begin, monkeypatch, machine, decoy):
    lab = begin("02", machine)
    monkeypatch.setattr(memory, "peak", lambda call, device: 0)
    ran = run(NOTEBOOKS["02"], [1], {})
    shape, caps = ran.names["shape"], machine.caps
    modules = {"textbook": naive, "workspace": workspace, "fused": fused}
    lab.stacks = {n: rungs.rung_stack(m.kernels(shape), shape, caps) for n, m in modules.items()}
    fix = lab.gain("fused", over="textbook")
    raced = {"fused": fix, "k, v in 16 bits": once(decoy)}
    monkeypatch.setattr(fusing, "race_decoy", lambda *args, **options: raced)
    more = run(NOTEBOOKS["02"], [4, 6, 7, 8, 19, 20], ran.names)
    for rung in (fused, naive):
        monkeypatch.setattr(rung, "attend", lambda *tensors: torch.zeros(1))
    ran.names |= {"q": torch.zeros(1), "k": torch.zeros(1), "v": torch.zeros(1), "seen": []}
    claims = run(NOTEBOOKS["02"], [21], ran.names)
    more.told = ran.told + more.told + claims.told
    return lab, more, fix.value


@pytest.mark.parametrize("decoy", [0.9, 1.0, 1.5])
@every
def test_lab_02(begin, monkeypatch, machine, decoy):
    lab, ran, gain = lab02(begin, monkeypatch, machine, decoy)
    first, last = lab.verdicts
    held(ran, first, last)
    told = next(t for t in ran.told if t.startswith(("Here", "Perhaps")))
    follows(told, last)
    if last.constraint[0] is Resource.COMPUTE:
        before = first.constraint[0]
        assert (f"wait, {before.label}, is out" in told) == (before is not Resource.COMPUTE)
    moved(ran.one("Before"), first, last, gain)
    said = next(t for t in ran.told if "The verdict names" in t)
    bytes_bind = Resource.BANDWIDTH in last.constraint
    assert ("not what it waits for" in said) == (decoy < 1.1 and not bytes_bind)
    assert ("still among" in said) == bytes_bind


def lab03(begin, monkeypatch, machine, share):
    lab = begin("03", machine)
    caps = machine.caps
    long = [ladder.Length(s, 128, 3.0, 3.0, 2.0) for s in (1024, 16384)]
    monkeypatch.setattr(ladder, "race_lengths", lambda *args: long)
    monkeypatch.setattr(Layer, "random", lambda width, device: SimpleNamespace(nbytes=12e6))
    layer = [prefill.Prefill("textbook", 1.0, 0.75), prefill.Prefill("flash", 1.0, share)]
    names = ("textbook", "fused", "flash", "flash, fewer kernels")
    seen = Rounds(dict.fromkeys(names, (1.0, 1.0, 1.0)))
    monkeypatch.setattr(prefill, "race_prefill", lambda *args, **options: (layer, seen))

    def model(width, nbytes, device):
        n = max(2, round(nbytes / (48 * width**2)))
        return SimpleNamespace(width=width, nbytes=48 * width**2 * n, layers=[None] * n)

    each = 30 * caps.host_op.value
    monkeypatch.setattr(gaps.Model, "of", model)
    monkeypatch.setattr(gaps, "race_splits", lambda models, wait: ([
        gaps.Split(m, each * len(m.layers) + m.nbytes / caps.bandwidth.value, each * len(m.layers))
        for m in models
    ], each))  # fmt: skip
    for name in ("race_tiny", "race_fewer_kernels", "race_half_bytes"):
        monkeypatch.setattr(gaps, name, lambda *args: once(1.1 if len(args) else 0.8))
    ran = run(NOTEBOOKS["03"], [1, 2, 12, 13, 15, 16, 18, 19, 21, 22], {})
    for rung in (naive, workspace, fused, flash):
        monkeypatch.setattr(rung, "attend", lambda *tensors, **kept: torch.zeros(1))
    ran.names |= dict.fromkeys("qkv", torch.zeros(1))
    claims = run(NOTEBOOKS["03"], [23], ran.names)
    claims.told = ran.told + claims.told
    return lab, claims


@pytest.mark.parametrize("share", [0.2, 0.7, 0.95])
@every
def test_lab_03(begin, monkeypatch, machine, share):
    lab, ran = lab03(begin, monkeypatch, machine, share)
    thin, wide = (ran.names["split"][i].verdict for i in (0, -1))
    held(ran, *lab.verdicts, thin, wide)
    last = lab.verdicts[-1]
    follows(next(t for t in ran.told if t.startswith(("Here", "Perhaps"))), last)
    told = ran.one("Where it went.")
    assert f"In flash attention, {story.binds(last.constraint)}" in told
    assert f"{share:.0%} of the layer" in told and "was 75%" in told
    if thin.constraint == wide.constraint:
        assert f"{story.binds(thin.constraint)}, whether layers are thin or wide" in told
    else:
        assert f"{story.binds(thin.constraint)} while layers are thin" in told
        assert f"{story.binds(wide.constraint)} where they are wide" in told
    assert throughput(last.stack, last.caps) == pytest.approx(last.predicted)


def test_the_machines_differ_in_what_they_say(begin, monkeypatch):
    """Or all this would be one test seven times."""
    firsts, sure = set(), set()
    for machine in MACHINES:
        lab = lab02(begin, monkeypatch, machine, 1.0)[0]
        firsts |= {v.constraint[0] for v in lab.verdicts}
        sure |= {v.fits for v in lab.verdicts}
    assert firsts >= {Resource.PAGES, Resource.BANDWIDTH, Resource.COMPUTE} and len(sure) == 2


def test_memory_that_is_not_as_counted_does_not_grow_as_lab_01_claims():
    counted = [rungs.Growth(s, s**2, s**2, s**2, 0.0, None, 1.0) for s in (1024, 2048)]
    assert rungs.grows_quadratically(counted)
    half = [*counted[:1], rungs.Growth(2048, 2048**2, 2048**2, 2048**2 / 2, 0.0, None, 9.0)]
    linear = [*counted[:1], rungs.Growth(2048, 2 * 1024**2, 2048**2, 2048**2, 0.0, None, 9.0)]
    assert not rungs.grows_quadratically(half) and not rungs.grows_quadratically(linear)
