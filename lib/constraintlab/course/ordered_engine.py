"""The learner's order in the real engine: the reasoner writes, and its answers are checked."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from constraintlab.course.calibrate import on_threads
from constraintlab.course.ordered import Order, Ordered
from constraintlab.course.questions import questions
from constraintlab.engine.reasoner.weights import Characters
from constraintlab.engine.request import Request
from constraintlab.engine.setup import Setup, build

SETUP = Setup(policy="continuous", slots=8, tokens=128, blocks=56, threads=1)
"""A pool of 896 tokens: some who are paused lose their KV to others."""

MOST = 384
"""Tokens of a question and its answer."""


@dataclass(frozen=True)
class Answered:
    """What became of the questions. right: to the last character. pauses: how often one that ran
    had to make way, keeping its KV. preempted: how often one lost it."""

    asked: int
    right: int
    steps: int
    pauses: int
    preempted: int

    def __str__(self) -> str:
        return (
            f"{self.right} of {self.asked} answers are right to the last character, after "
            f"{self.steps:,} steps of the real engine; {self.pauses} times one was paused for "
            f"another, {self.preempted} times one lost its KV and had it computed again"
        )

    __repr__ = __str__


def real(order: Order, n: int = 30, setup: Setup = SETUP) -> Answered:
    """n questions, one a step, go through an engine in this process that `order` schedules; their
    answers' lengths are lognormal. Raises BadOrder where the order is none."""
    with on_threads(setup.threads):
        engine = build(setup)
        engine.switch(Ordered(order))
        start, coming, asked = time.perf_counter(), questions(n, most=MOST), {}
        steps = pauses = preempted = 0
        paused: set[Request] = set()
        while len(asked) < n or engine.busy:
            if len(asked) < n:
                question = coming[len(asked)]
                prompt, sampling = question.asked
                # The answer ends where it ends: what it may have says nothing of its length.
                sampling = replace(sampling, max_tokens=MOST - len(prompt))
                arrival = time.perf_counter() - start
                request = Request(len(asked), prompt, sampling, arrival)
                engine.submit(request)
                asked[request] = question
            plan = engine.step().plan
            steps += 1
            pauses += len(set(plan.paused) - paused)
            preempted += len(plan.preempted)
            paused = set(plan.paused)
    said = Characters().decode
    right = sum(question.right(said(r.output)) for r, question in asked.items())
    return Answered(n, right, steps, pauses, preempted)
