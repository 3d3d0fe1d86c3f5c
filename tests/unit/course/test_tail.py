"""Lab 07's parts that need no engine: its users, the virtual clock's days, one server, culprits."""

import asyncio
import math
from dataclasses import replace
from itertools import pairwise, product
from statistics import fmean, median, pstdev
from types import SimpleNamespace

import pytest

from constraintlab.course import culprits, pressure, tail_tables, tail_virtual, thinking
from constraintlab.course.driver import Ran
from constraintlab.course.single_server import single
from constraintlab.engine.answer import Answer
from constraintlab.engine.report import TOTALS, Life, Report
from constraintlab.engine.request import Sampling
from constraintlab.engine.setup import Setup
from constraintlab.engine.virtual.cost import StepCost, Took, pairs
from constraintlab.engine.virtual.queueing import mean_wait, variation
from constraintlab.load import profiles
from constraintlab.load.tail import Seen
from constraintlab.load.traces import VARIABLE

COST = StepCost(fixed=2e-3, each=1e-4, key=1e-7, prompt=1e-4, token=5e-6, pair=3e-9)
SETUP = Setup(policy="continuous", slots=4, tokens=512, blocks=256)


def test_thoughts_are_as_long_as_the_profile_and_nothing_in_the_prompt_tells():
    some = thinking.thoughts(4000, seed=3)
    assert thinking.mean(some) == pytest.approx(62, rel=0.06)
    assert len({len(q.prompt) for q in some}) == 1
    lengths = [q.length for q in some]
    assert min(lengths) == 9 and max(lengths) <= thinking.CAP - 10
    cv2 = (pstdev(lengths) / fmean(lengths)) ** 2
    assert 1.9 < cv2 < 2.6, "R1's is 2.28"
    assert thinking.thoughts(50, seed=3) == some[:50] != thinking.thoughts(50, seed=4)


@pytest.mark.parametrize("traces", [True, False])
def test_users_come_at_the_rate_asked_for_with_or_without_the_trace(traces, monkeypatch, tmp_path):
    if traces:
        lines = ["TIMESTAMP,ContextTokens,GeneratedTokens"]
        lines += [f"2023-11-16 18:{i // 60:02d}:{i % 60:02d}.1234567,9,9" for i in range(0, 900, 3)]
        (tmp_path / "azure_llm_2023_conv.csv").write_text("\n".join(lines))
        monkeypatch.setenv(VARIABLE, str(tmp_path))
    else:
        monkeypatch.delenv(VARIABLE, raising=False)
    came = thinking.arrive(100, 20.0, skip=40)
    assert len(came.at) == 100 and came.at[0] == 0.0
    assert came.rate == pytest.approx(20.0) and all(b >= a for a, b in pairwise(came.at))
    gaps = [b - a for a, b in pairwise(came.at)]
    assert ("requests 41 to 140" in came.of) is traces and ("CV" in came.of) is not traces
    assert (pstdev(gaps) < 1e-6) is traces, "the trace's gaps are all alike here"


def test_independent_users_come_at_that_very_rate():
    came = thinking.independent(50, 4.0, seed=1)
    gaps = [b - a for a, b in pairwise(came.at)]
    assert came.at[0] == 0.0 and came.rate == pytest.approx(4.0)
    assert 0.6 < pstdev(gaps) / fmean(gaps) < 1.4
    assert came != thinking.independent(50, 4.0, seed=2)


def test_the_formula_by_hand():
    assert mean_wait(0.5, [2.0]) == pytest.approx(1.0)  # M/D/1 at one half: half a service
    assert mean_wait(0.8, [1.0, 3.0]) == pytest.approx(0.8 / 0.2 * 2 * (1 + 0.25) / 2)
    assert variation([1.0, 3.0]) == pytest.approx(0.25)
    with pytest.raises(ValueError, match="load=1: from 1 on the queue grows for ever"):
        mean_wait(1, [1.0])


def answered(due, cost=COST, slots=1):
    """A run as an engine of this cost would have it: the virtual clock's, as answers, lives and
    steps."""
    setup = replace(SETUP, slots=slots)
    day = tail_virtual._day("run", due, setup, cost)
    answers, lives = [], []
    for (at, prompt, output), seen in zip(due, day.seen, strict=True):
        answer = Answer(seen.index + 1, (1,) * prompt, Sampling(output), at)
        first, last = at + seen.ttft, at + seen.e2e
        step = (last - first) / max(1, output - 1)
        answer.take(first, [1], "", None)
        for i in range(1, output):
            answer.take(first + i * step, [1], "", None)
        answer.bill, answer.first_bill = dict(seen.waited), dict(seen.first)
        answer.end("length")
        life = Life(100 + seen.index, str(answer.number))
        life.enter("queued", at)
        life.enter("prefill", first - COST.step(0, 0, [(prompt, 0)]))
        life.enter("decode", first)
        life.end("length", last)
        answers.append(answer)
        lives.append(life)
    steps = []
    for n, keys, p in product(range(slots + 1), (20, 60, 200), (0, 1, 2)):
        for tokens in (5, 10, 40):
            chunks = [(tokens, 0)] * p
            took = cost.step(n, n * keys, chunks)
            steps += [Took(took, n, n * keys, p, p * tokens, pairs(chunks))] * 4
    end = max(a.times[-1] for a in answers)
    rest = dict(kv=(1, 0, 0), block_size=16, owners=(), filled=(), work={})
    reports = [
        Report(t, dict.fromkeys(TOTALS, 0.0), 0, 0, slots, lives=tuple(lives), steps=tuple(some),
               **rest)
        for t, some in ((0.0, ()), (end, steps))
    ]  # fmt: skip
    return Ran(tuple(reports), tuple(answers)), setup


DUE = [(0.0, 10, 400), (0.1, 10, 20), (0.2, 10, 30), (5.0, 10, 25)]


def test_who_had_the_slot_while_another_waited():
    ran, _ = answered(DUE)
    pairs = zip(ran.answers, culprits.lives(ran), strict=True)
    seen = [Seen.of_answer(a, 0.0, life.number) for a, life in pairs]
    held = culprits.holders(ran, seen[2])
    assert [h.number for h in held] == [100, 101] and held[0].tokens == 400
    assert sum(h.seconds for h in held) == pytest.approx(seen[2].ttft, rel=0.02)
    assert culprits.long_share(held, 100) == pytest.approx(held[0].seconds / seen[2].ttft, rel=0.02)
    assert culprits.holders(ran, seen[3]) == [] and culprits.long_share([], 9) == 0.0


def test_one_slot_beside_the_formula():
    users = thinking.brief(80, seed=5, scale=100.0, cap=256)
    alone = thinking.alone(users, answered(DUE)[0].reports[1].steps)
    due = [(1.4 * alone * i, 10, thinking.length(q)) for i, q in enumerate(users)]
    ran, setup = answered(due)
    found = single(ran, setup, requests=1000, again=20)
    assert found.requests == 80 and found.service == pytest.approx(alone, rel=0.05)
    assert found.load == pytest.approx(1 / 1.4, rel=0.06)
    assert found.wait == pytest.approx(found.virtual, rel=0.1)
    assert found.formula == pytest.approx(
        found.load / (1 - found.load) * found.service * (1 + found.cv2) / 2
    )
    # Clockwork arrivals wait less than independent ones, for which the formula is.
    assert found.virtual < found.formula and found.low < found.high
    for point in found.points:
        expected = point.load / (1 - point.load) * (1 + found.cv2) / 2
        assert point.low < expected < point.high or abs(point.wait / expected - 1) < 0.35
    text = found.picture().text
    assert f"Unequal answers wait {1 + found.cv2:.1f} times" in text and "load 0.75" in text
    assert found.picture().png().startswith(b"\x89PNG")


def test_a_day_on_the_virtual_clock_and_a_limit_that_cuts():
    profile = profiles.load("reasoning", 16.0, 1024)
    rate = 0.9 * SETUP.slots / COST.step(SETUP.slots, 4 * 120) / 62
    free = tail_virtual.many("free", profile, 400, rate, SETUP, COST)
    cut = tail_virtual.many("cut", profile, 400, rate, SETUP, COST, limit=128)
    assert free.cut == 0 and 0.1 < cut.cut / 400 < 0.3
    assert [s.output for s in cut.seen] == [s.output for s in free.seen], "halves by what was asked"
    assert cut.e2e().mean < free.e2e().mean and cut.ttft()[99] < free.ttft()[99]
    assert len(free.half(True)) + len(free.half(False)) == 400 == free.ttft().n
    ordered = sorted(s.ttft for s in free.seen)
    assert free.within(ordered[99]) == 0.25 and free.within(ordered[-1]) == 1
    assert free.tail().requests[0].ttft == free.ttft().high
    table = str(tail_tables.payers([free, cut]))
    assert "free" in table and tail_tables.ms(cut.ttft(False)[90]) in table
    loads = str(tail_tables.loads([(rate, free), (rate, cut)], "why"))
    assert f"{cut.cut / 400:.1%}" in loads and "waited most for" in loads and "why" in loads
    rooms = str(tail_tables.rooms([(SETUP, free)]))
    assert "4,096" in rooms and "(" in rooms


def test_the_same_users_under_another_setup_at_the_runs_own_costs():
    ran, setup = answered(DUE)
    same = tail_virtual.replayed("same", ran, setup)
    for seen, answer in zip(same.seen, ran.answers, strict=True):
        assert seen.ttft == pytest.approx(answer.times[0] - answer.sent, rel=0.02)
    four = tail_virtual.replayed("four", ran, replace(setup, slots=4))
    assert four.ttft().high < 0.1 * same.ttft().high


def test_seconds_as_people_say_them():
    assert [tail_tables.ms(s) for s in (0.0042, 0.0423, 0.38, 2.64, math.inf)] == [
        "4.2 ms", "42 ms", "380 ms", "2.6 s", "no end",
    ]  # fmt: skip
    few = SimpleNamespace(percentiles=[SimpleNamespace(p=99, value=None, low=None, high=None,
                                                       why="3 samples")])  # fmt: skip
    assert tail_tables.spread(few, 99) == "3 samples"


def test_long_prompts_beside_answers_take_a_third_of_the_time():
    steps = answered(DUE, slots=4)[0].offered.steps
    requests, when = thinking.crowd(0.1, steps, decodes=4, prompts=5, long=300)
    assert len(requests) == len(when) == 9 and when[:4] == [0.0] * 4
    assert when[4:] == pytest.approx([0.3, 0.6, 0.9, 1.2, 1.5])
    pace = median(s.seconds for s in steps if not s.prompts)
    tokens = requests[0][1].max_tokens
    assert tokens * pace + 6 * 0.1 == pytest.approx(1.8, abs=2 * pace), "as long as prompts come"
    assert requests[-1][1].max_tokens == 1 and len(requests[-1][0]) == 300


def test_the_load_is_what_came_over_what_full_slots_do_at_the_same_pace():
    ran, setup = answered(DUE, slots=4)
    tokens = sum(output for _, _, output in DUE) / len(DUE)
    steps = ran.offered.steps
    context = sum(s.keys for s in steps) / sum(s.decodes for s in steps)
    own = COST.step(0, 0, [(10, 0)]) - COST.step(0, 0)
    expected = 1 / (COST.step(4, 4 * context) / 4 + own / tokens)
    assert pressure.full(ran, 4) == pytest.approx(expected, rel=0.01)
    run = SimpleNamespace(ran=ran, setup=setup, offered=0.5 * expected)
    assert pressure.load(run) == pytest.approx(0.5, rel=0.01)


def slower(cost, k):
    parts = ("fixed", "each", "key", "prompt", "token", "pair")
    return replace(cost, **{part: k * getattr(cost, part) for part in parts})


@pytest.mark.parametrize(
    "paces, nearest",
    [([1.0], 0), ([1.1], 0), ([2.0, 2.1], 1), ([0.5, 0.35, 0.36], 2), ([0.5, 0.38, 0.7, 0.2], 1)],
)
def test_users_come_again_when_the_machine_had_another_pace(paces, nearest):
    users, calls = thinking.thoughts(40), []

    async def face(name, setup, some, at):
        pace = paces[len(calls)]
        calls.append(at)
        ran, _ = answered(DUE, cost=slower(COST, 1 / pace), slots=4)
        return SimpleNamespace(
            ran=ran, setup=setup, offered=sum(map(thinking.length, some)) / at[-1]
        )

    known = pressure.full(answered(DUE, slots=4)[0], 4)
    stage = SimpleNamespace(face=face)
    _, came = asyncio.run(
        pressure.at_load(stage, "x", replace(SETUP, slots=4), users, wanted=0.8, known=known)
    )
    assert len(calls) == len(paces) and came.at == calls[nearest]
    if nearest:
        rate = thinking.mean(users) * 39 / calls[1][-1]
        assert rate == pytest.approx(0.8 * known * paces[0], rel=0.02), "at the pace that it had"


def test_a_stall_behind_a_prompt_is_seen_however_rare_it_is():
    def run(*prompts):  # (sent, first token, gap that it makes)
        writer = SimpleNamespace(sent=0.0, times=[0.0])
        while writer.times[-1] < 10:
            now = writer.times[-1]
            made = [gap for sent, first, gap in prompts if sent <= now + 0.001 < first]
            writer.times.append(now + max([0.005, *made]))
        readers = [SimpleNamespace(sent=sent, times=[first]) for sent, first, _ in prompts]
        return SimpleNamespace(ran=SimpleNamespace(answers=[writer, *readers]))

    whole = run((2.0, 2.3, 0.3), (5.0, 5.3, 0.3), (8.0, 8.3, 0.3))
    cut = run((2.0, 2.4, 0.04), (5.0, 5.4, 0.04), (8.0, 9.5, 1.5))  # a neighbour came by once
    assert tail_tables.gaps(whole, 1)[99] == pytest.approx(0.005), "p99 misses three in 2,000"
    assert tail_tables.stall(whole, 1) == pytest.approx(0.3, rel=0.02)
    assert tail_tables.stall(cut, 1) == pytest.approx(0.04, rel=0.02)
    assert math.isnan(tail_tables.stall(run((20.0, 20.3, 0.3)), 1)), "nobody was being answered"
