"""A recording of a made-up lab: two runs under a panel, a question, claims."""

from constraintlab.course.lab import Lab
from constraintlab.course.progress import Progress
from constraintlab.limits.resource import Resource
from constraintlab.panel import KVMap, Lane, Lanes, Panel
from constraintlab.recordings.recorder import Recorder
from constraintlab.recordings.tape import Head
from tests.unit.course.learner import ran
from tests.unit.panel.cases import SERIES, sample, verdict

MACHINE = {"cpu": "AMD EPYC", "cores": "2", "memory_gb": "8", "os": "Linux"}
ORIGIN = "AMD EPYC, 2 cores, 2026-03-01"


def head(**changes) -> Head:
    parts = {
        "lab": "04", "device": "cpu", "started": "2026-03-01T09:30:00+00:00", "machine": MACHINE,
        "versions": {"python": "3.12", "torch": "2.13"}, "preset": "ci", "command": "make execute",
    }  # fmt: skip
    return Head(**(parts | changes))


class Clock:
    """A clock that a test turns."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def recorder(folder, clock, **options) -> Recorder:
    return Recorder(folder, head(**options.pop("head", {})), clock=clock, **options)


def play(recorder, clock, home, seconds=3.0, rate=10):
    """A lab that asks, runs twice under a panel for so many seconds, reveals, claims, ends."""
    lab = Lab("04", Progress(home / "progress.json"))
    lab.recorder = recorder
    panel = Panel(lab="04", chips=("measured · this machine", "fp32"))
    panel.set_timeline(SERIES)
    lab.predict("binds", "What <binds>?", ["bandwidth", "compute"])
    for n, name in enumerate(("one pass", "two passes")):
        for i in range(int(seconds * rate)):
            clock.now += 1 / rate
            panel.push(sample(i / rate, flops=1e10 * (1 + n)))
            panel.set_lanes(Lanes(i / rate, [Lane(1, "a", [("decode", 0.0, None)])], 0, 1, 4))
            panel.set_maps([KVMap("pool", 16, [1] * 8 + [0] * 8, [i % 16] * 8 + [0] * 8)])
        panel.set_verdict(verdict())
        lab.measured(name, ran(4_100 + n, Resource.BANDWIDTH))
    lab.went(ran(4_100, Resource.BANDWIDTH), ran(4_101, Resource.BANDWIDTH), 1.0)
    lab.reveal("binds", "bandwidth", "It reads all it has.", value=71.0, unit="% of a token")
    lab.claim("reads are most", True)
    lab.claim("never false", False, "2")
    lab.finish("×2.0", Resource.BANDWIDTH)
    panel.close()
    return panel
