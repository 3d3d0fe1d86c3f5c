"""A gateway's view of the tiers, on handles whose replicas die when told to. No cluster."""

import asyncio

import pytest

from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.setup import Setup
from constraintlab.engine.wire import Facts

ANSWER = (5, 6, 7, 8, 9)


class Gone(Exception):
    """What Ray raises of a replica that died."""


class Saying:
    """A streaming response: tokens from where the request is, until the replica dies."""

    def __init__(self, asked, dies, cancelled):
        self.asked, self.dies, self._cancelled = asked, dies, cancelled

    async def __aiter__(self):
        from constraintlab.cluster.said import Said

        for i in range(len(self.asked.output), len(ANSWER)):
            await asyncio.sleep(0)
            if i == self.dies:
                raise Gone("the actor died")
            if isinstance(self.dies, Exception):
                raise self.dies
            last = i == len(ANSWER) - 1
            yield Said((ANSWER[i],), str(ANSWER[i]), "stop" if last else None)

    def cancel(self):
        self._cancelled.append(self.asked)


class Tier:
    """A handle of both tiers. dies: for each call after how many tokens, or with what."""

    def __init__(self, *dies):
        self.asked, self.cancelled, self._dies = [], [], iter(dies)
        self.facts = self

    def options(self, stream):
        return self

    def remote(self, *args):
        if not args:
            return self._facts()
        self.asked.append(args[0])
        return Saying(args[0], next(self._dies, None), self.cancelled)

    async def _facts(self):
        return Facts(64, 16, 4, 512, 13)


class Ear:
    """What a front end is told."""

    def __init__(self):
        self.text, self.ended = "", asyncio.Event()
        self.finished = self.refused = self.lost = None

    def on_step(self, now, lines, tick):
        for number, _, text, finished in lines:
            assert number == 1
            self.text += text
            if finished:
                self.finished = finished
                self.ended.set()

    def on_refused(self, number, why):
        self.refused = why
        self.ended.set()

    def on_lost(self, number, why):
        self.lost = why
        self.ended.set()


def ask(*dies, retries=2):
    """(front end, decode tier, prefill tier) after one request."""
    from constraintlab.cluster.backend import TierBackend

    async def run():
        ear, prefill, decode = Ear(), Tier(), Tier(*dies)
        backend = TierBackend(Setup(model="stub"), ear, prefill, decode, retries)
        await backend.start()
        assert backend.state == "ready" and backend.facts.slots == 4
        backend.tell("submit", 1, Request(0, [1, 2], Sampling(9)))
        await asyncio.wait_for(ear.ended.wait(), 10)
        return ear, decode, prefill

    return asyncio.run(run())


def test_an_answer_passes_through_as_it_comes():
    ear, decode, prefill = ask()
    assert (ear.text, ear.finished) == ("56789", "stop")
    assert decode.asked == prefill.asked and decode.asked[0].output == ()


@pytest.mark.parametrize("dies", [(0,), (3,), (2, 4)])
def test_a_request_whose_replica_dies_goes_on_elsewhere_from_the_token_it_had(dies):
    ear, decode, _ = ask(*dies)
    assert (ear.text, ear.finished, ear.lost) == ("56789", "stop", None)
    assert [a.output for a in decode.asked] == [(), *(ANSWER[:n] for n in dies)]


def test_replicas_that_die_too_often_end_it_with_an_error_that_says_so():
    ear, decode, _ = ask(1, 2, 3)
    assert ear.finished is None and ear.text == "567"
    assert "is gone: the actor died" in ear.lost and len(decode.asked) == 3


def test_without_retries_the_first_death_is_the_client_s():
    ear, _, _ = ask(1, retries=0)
    assert ear.text == "5" and "is gone" in ear.lost


def test_what_can_never_run_is_refused_and_not_tried_again():
    ear, decode, _ = ask(ValueError("another model's"))
    assert "another model's" in ear.refused and len(decode.asked) == 1


def test_a_client_that_leaves_is_forgotten_in_both_tiers():
    async def run():
        from constraintlab.cluster.backend import TierBackend

        class Endless(Saying):
            async def __aiter__(self):
                await asyncio.sleep(60)
                yield

        class Slow(Tier):
            def remote(self, *args):
                return Endless(args[0], None, self.cancelled) if args else self._facts()

        ear, prefill, decode = Ear(), Slow(), Slow()
        backend = TierBackend(Setup(model="stub"), ear, prefill, decode, 2)
        await backend.start()
        backend.tell("submit", 1, Request(0, [1, 2], Sampling(9)))
        await asyncio.sleep(0.01)
        backend.tell("cancel", 1)
        await asyncio.sleep(0.01)
        assert len(decode.cancelled) == len(prefill.cancelled) == 1
        assert ear.finished is ear.lost is ear.refused is None

    asyncio.run(run())
