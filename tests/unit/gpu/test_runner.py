"""`make gpu`'s runner: what the clock cuts off, what a part's end is called, what outlives it."""

import json
import os
import time

import pytest

from constraintlab.gpu import plan, runner
from constraintlab.gpu.result import Result
from constraintlab.gpu.runner import Ended, in_a_process, play

REPORT = {"machine": {}, "results": [{"metric": "x", "value": 1.0}], "skipped": []}


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def played(tmp_path):
    """played(names, seconds by name, told=…) → (result, orders) of parts that take so long."""

    def run(names, took, told=REPORT, limit=460.0, status=0, log=""):
        clock, orders = Clock(), []

        def start(name, order, scratch, most):
            orders.append((name, order, most))
            clock.now += took.get(name, 1.0)
            return Ended(took.get(name, 1.0), status, told, log)

        result = Result(tmp_path / "out", {}, False)
        play(names, result, tmp_path, "cuda", lambda line: None, limit=limit, clock=clock,
             start=start)  # fmt: skip
        return result, orders

    return run


def test_every_part_is_a_module_with_the_same_signature():
    for name in plan.PARTS:
        module = plan.part(name)
        assert module.WHAT and 0 < module.LEAST < module.MOST <= plan.LIMIT
        assert module.run.__code__.co_varnames[:2] == ("here", "say")
    with pytest.raises(ValueError, match="use doctor, tests"):
        plan.part("nope")


def test_parts_run_in_order_and_each_hears_what_was_found_before(played):
    result, orders = played(["doctor", "attention"], {})
    assert [name for name, _, _ in orders] == ["doctor", "attention"]
    assert [[r["metric"] for r in order["results"]] for _, order, _ in orders] == [[], ["x"]]
    assert [r["part"] for r in result.results] == ["doctor", "attention"]
    assert json.loads((result.folder / "gpu.json").read_text())["parts"][1]["status"] == "ran"


def test_a_part_without_time_is_not_begun_and_a_shorter_one_still_is(played):
    result, orders = played(["tests", "paged", "claims"], {"tests": 80.0}, limit=100.0)
    assert [name for name, _, _ in orders] == ["tests", "claims"]
    late = result.parts[1]
    assert late.status == "no time" and "make gpu ONLY=paged" in late.reason
    assert orders[1][2] <= 20.0


def test_no_part_may_take_longer_than_what_is_left_or_its_own_limit(played):
    _, orders = played(["tests", "attention"], {"tests": 150.0}, limit=200.0)
    most = {name: seconds for name, _, seconds in orders}
    assert most == {"tests": plan.part("tests").MOST, "attention": 50.0}


@pytest.mark.parametrize(
    ("told", "status", "log", "state", "says"),
    [
        ({"unavailable": "no such tool"}, 0, "", "unavailable", "no such tool"),
        (None, None, "tile 3\n", "failed", "stopped after 60 s; tile 3"),
        (None, 1, "Traceback\nValueError: wrong\n", "failed", "ValueError: wrong"),
        (None, -11, "", "failed", "ended by SIGSEGV; its last words: it said nothing"),
        (REPORT | {"skipped": [{"metric": "failed", "reason": "2 tests"}]}, 0, "", "failed",
         "2 tests"),
    ],
)  # fmt: skip
def test_how_a_part_ended_is_told(played, told, status, log, state, says):
    result, _ = played(["doctor"], {}, told, status=status, log=log)
    (ended,) = result.parts
    assert ended.status == state and says in ended.reason
    assert result.failed == (state == "failed")


def test_a_part_that_hangs_is_ended_with_what_it_started(tmp_path):
    child = tmp_path / "child.sh"
    child.write_text(f"sleep 60 & echo $! > {tmp_path}/pid; echo under way; wait\n")
    began = time.monotonic()
    ended = in_a_process("doctor", {}, tmp_path, 1.0, ("bash", str(child)))
    assert ended.status is None and ended.told is None and "under way" in ended.log
    assert time.monotonic() - began < 30
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not alive(pid):
            break
        time.sleep(0.1)
    assert not alive(pid)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_part_s_log_keeps_its_end_and_stays_small(played):
    result, _ = played(["doctor"], {}, log="a" * 10**6 + "the end")
    assert len(result.logs["doctor"]) == runner.KEPT_OF_A_LOG
    assert (result.folder / "gpu.log").read_text().rstrip().endswith("the end")


def test_a_part_finds_the_package_from_any_folder(monkeypatch):
    lib = str(runner.Path(runner.__file__).resolve().parents[2])
    for given in ("", "lib", f"lib{os.pathsep}/other"):
        monkeypatch.chdir(runner.Path(lib).parent)
        monkeypatch.setenv("PYTHONPATH", given)
        assert runner.path().split(os.pathsep) == [lib, *(["/other"] if "/other" in given else [])]
