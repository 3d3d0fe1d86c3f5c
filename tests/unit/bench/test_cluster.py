"""What the cluster bench makes of records, and what it says without Ray."""

import sys
from types import SimpleNamespace

import pytest

from constraintlab.bench import cluster
from constraintlab.load.record import Events, Record


def record(index, times):
    events = Events((t, 1, 10) for t in times)
    return Record(index, 0.0, 0.0, times[0], times[-1], events, output_tokens=len(times))


def test_the_rate_is_that_of_the_middle_and_knows_nothing_of_the_end():
    steady = [0.1 * i for i in range(1, 101)]
    assert cluster.rate([record(0, steady)]) == pytest.approx(10.0)
    # The last third comes ever more slowly, as slots empty: that is not the tier's rate.
    late = steady[:75] + [7.5 + (i + 1) ** 1.5 for i in range(25)]
    assert cluster.rate([record(0, late[::2]), record(1, late[1::2])]) == pytest.approx(10.0)


def test_every_client_asks_the_same_and_for_an_exact_number_of_tokens():
    asks = list(cluster.workload(20).asks())
    assert len(asks) == 20 and all(a.exact and a.output == cluster.ANSWER for a in asks)
    assert all(a.prompt.isdigit() and len(a.prompt) == cluster.PROMPT for a in asks)
    assert asks == list(cluster.workload(20).asks())


def test_without_ray_both_metrics_are_absent_and_the_reason_names_the_extra(monkeypatch):
    for name in [m for m in sys.modules if m.startswith("constraintlab.cluster")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.serve", None)
    report = cluster.run()
    assert not report.results and [s["metric"] for s in report.skipped] == [
        "decode_replicas_gain", "decode_replicas_gain_unsimulated",
    ]  # fmt: skip
    assert all("pip install 'constraintlab[cluster]'" in s["reason"] for s in report.skipped)


def test_what_ray_tells_on_stdout_is_no_part_of_the_report(monkeypatch, capsys):
    class Talks:
        def __enter__(self):
            print("(raylet) Task failed")

        def __exit__(self, *_):
            print("(raylet) The actor is dead")

    local = SimpleNamespace(Cluster=Talks)
    monkeypatch.setitem(sys.modules, "constraintlab.cluster.local", local)
    monkeypatch.setattr(cluster, "pairs", lambda *_: ([100.0, 100.0], [190.0, 200.0]))
    report = cluster.run(rounds=2)
    assert [r["value"] for r in report.results] == pytest.approx([1.95, 1.95])
    said = capsys.readouterr()
    assert not said.out and said.err.count("(raylet)") == 2
