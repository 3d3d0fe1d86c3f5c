"""`Lab`: what every notebook starts with. Predict, run, reveal, check, claim, and where it went."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from constraintlab.course import story
from constraintlab.course.check import Result, check
from constraintlab.course.forecast import Forecasts, Outcome, score
from constraintlab.course.forecast_table import beside
from constraintlab.course.hints import Hint, hint
from constraintlab.course.measure import Rounds, interleave
from constraintlab.course.predict import Prediction, Reveal
from constraintlab.course.progress import Progress
from constraintlab.limits import cgroup
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.fixes import Fix
from constraintlab.limits.resource import Resource
from constraintlab.limits.verdict import Verdict
from constraintlab.limits.whatif import Outlook
from constraintlab.recordings import start
from constraintlab.room.client import Client

T = TypeVar("T")

PRESETS = ("full", "ci")


def preset() -> str:
    """`full`, or `ci` for the same cells at small sizes (variable CONSTRAINTLAB_PRESET)."""
    wanted = os.environ.get("CONSTRAINTLAB_PRESET", "full")
    if wanted not in PRESETS:
        raise ValueError(f"CONSTRAINTLAB_PRESET={wanted!r}: use one of {', '.join(PRESETS)}")
    return wanted


class Lab:
    """One lab on one machine: its device, its capacities, the learner's predictions."""

    def __init__(self, number: str, progress: Progress | None = None) -> None:
        import torch

        # Jupyter brings it, and jsonschema, which Altair and Ray import, would parse a grammar
        # with it, to check a format that neither asks for: 2.6 core-seconds.
        sys.modules.setdefault("rfc3987_syntax", None)
        self.number = number
        self.preset = preset()
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.progress = progress or Progress()
        self.room = Client()
        self.recorder = start.wanted(number, self.device, self.preset)
        self.started = time.perf_counter()
        self._predictions: dict[str, Prediction] = {}
        self._capacities: Capacities | None = None

    @property
    def full(self) -> bool:
        return self.preset == "full"

    @property
    def capacities(self) -> Capacities:
        """This machine's ceilings: cached, or probed now (a few seconds, the first time)."""
        if self._capacities is None:
            from constraintlab.limits import probe

            self._capacities = probe.capacities(self.device, say=print)
        return self._capacities

    @property
    def where(self) -> str:
        """The machine in words: processor or GPU, cores, instruction set."""
        machine = self.capacities.machine
        name = machine.get("gpu") or machine["cpu"]
        cores = "1 core" if machine["cores"] == "1" else f"{machine['cores']} cores"
        return f"{name}, {cores}, {machine['isa']}"

    def size(self, *, full: T, ci: T) -> T:
        """`full`, or `ci` under the preset of that name."""
        return full if self.full else ci

    def wait(self) -> None:
        """Let the device finish what it was given; nothing to do on a CPU."""
        if self.device == "cuda":
            import torch

            torch.cuda.synchronize()

    def predict(self, key: str, question: str, options: Sequence[str]) -> Prediction:
        """Ask before a run. The answer is kept; `reveal` with the same key shows the truth."""
        asked = Prediction(
            self.progress, self.number, key, question, options, partial(self._tell, key)
        )
        self._predictions[key] = asked
        self._record("question", key=key, question=question, options=list(options))
        if asked.choice:
            self._tell(key, asked.choice)
        self._pass_on()
        return asked

    def reveal(
        self, key: str, truth: str, because: str, value: float | None = None, unit: str = ""
    ) -> Reveal:
        """Hold the prediction `key` against what was measured, and say why.

        value, unit: the number behind it, for the room, if this laptop is in one. The unit, a
        literal (`× from one pass`, `% of peak`), is read from the notebook by `room.asked`.
        """
        if key not in self._predictions:
            raise ValueError(f"nothing was predicted under {key!r}: run that cell first")
        if (value is None) != (not unit):
            raise ValueError(f"{key}: give a value together with its unit")
        self.room.measured(self.number, key, truth, value)
        self._pass_on()
        asked = self._predictions[key]
        self._record(
            "reveal", key=key, question=asked.question, options=list(asked.options),
            truth=truth, because=because, value=value, unit=unit,
        )  # fmt: skip
        return asked.reveal(truth, because)

    def within(self, value: float, limits: Mapping[str, float]) -> str:
        """The option of a prediction that holds for `value`: options → what each stays below."""
        return next((option for option, limit in limits.items() if value < limit), list(limits)[-1])

    def explain(self, verdict: Verdict, stories: Mapping[Resource, str]):
        """The text that fits what this machine measured; without a story, the evidence itself."""
        return self._say(story.here(verdict, stories), verdict)

    def went(self, before: Verdict, after: Verdict, gain: Estimate | float | None = None):
        """Where the constraint was and where it is now. gain: of throughput, in ×."""
        return self._say(story.went(before, after, gain), before, after)

    def race(self, calls: Mapping[str, Callable[[], object]]) -> Rounds:
        """Every call once a round, interleaved, so that ratios outlive a noisy machine."""
        return interleave(
            calls,
            rounds=self.size(full=15, ci=7),
            budget=self.size(full=8.0, ci=2.0),
            wait=self.wait,
        )

    def foresee(self, key: str, verdict: Verdict, fix: Fix) -> Outlook:
        """Predict a fix before it is done: its gain, its interval, and what binds then."""
        return Forecasts(self.progress, self.number).foresee(key, verdict, fix)

    def outcomes(
        self,
        found: Mapping[str, Outcome],
        columns: Mapping[str, Mapping[str, object]] | None = None,
        note: str = "",
    ):
        """Predictions beside what was measured, by key, and the predictor's score in all labs.

        found: each fix's gain, and the verdict with it where there is one.
        """
        kept = Forecasts(self.progress, self.number)
        done = {key: kept.outcome(key, outcome) for key, outcome in found.items()}
        return beside(done, score(self.progress), columns, note)

    def check(self, name: str, answer: object) -> Result:
        """Check an exercise's answer, e.g. `lab.check("score_peak", score_peak)`."""
        result = check(f"{self.number}.{name}", answer)
        self.progress.put(self.number, "checks", name, result.ok)
        return result

    def hint(self, name: str) -> Hint:
        """The next hint of an exercise, e.g. `lab.hint("score_peak")`; a further one each time."""
        return hint(self.progress, self.number, name)

    def measured(self, name: str, verdict: Verdict) -> None:
        """Keep what a run came to: its throughput and what bound. Called by the stages."""
        x = verdict.measured
        kept = {
            "x": x.as_dict() if x else None, "unit": verdict.unit, "outcome": verdict.outcome,
            "constraint": [r.value for r in verdict.constraint],
        }  # fmt: skip
        self.progress.put(self.number, "runs", name, kept)
        if self.recorder:
            from constraintlab.panel.sentence import sentence, text

            self.recorder.note("run", name=name, text=text(sentence(verdict)), **kept)

    def claim(self, text: str, holds: bool, seen: str = "") -> None:
        """Print an invariant that must hold on any machine; nbval compares the line.

        When it doesn't hold, the line says so, with what was seen.
        """
        self._record("claim", text=text, holds=bool(holds), seen="" if holds else seen)
        print(f"holds: {text}" if holds else f"DOES NOT HOLD: {text} ({seen})")

    def finish(self, note: str, constraint: Resource | None = None) -> None:
        """Put this lab's cell on the migration strip, which the next labs carry on."""
        cell = {
            "constraint": constraint.value if constraint else None, "note": note,
            "machine": self.where if self._capacities else "", "preset": self.preset,
            "date": time.strftime("%Y-%m-%d"),
        }  # fmt: skip
        self.progress.put(self.number, "strip", "cell", cell)
        self._record("strip", constraint=cell["constraint"], note=note)
        self.room.finished(self.number, cell["constraint"] or "")
        self._pass_on()

    def join(self, where: str) -> None:
        """Join a workshop's room: `lab.join("CODE@192.168.1.5:8765")`, as its screen shows it.

        From then on, in every lab, predictions and what was measured for them go there, until
        `lab.leave()`. RoomError where there is no such room.
        """
        import torch

        laptop = {
            "cores": max(1, round(cgroup.cores())),
            "isa": torch.backends.cpu.get_cpu_capability(),
            "device": self.device,
        }
        print(self.room.join(where, laptop))
        for key, asked in self._predictions.items():
            if asked.choice:
                self._tell(key, asked.choice)

    def leave(self) -> None:
        """Tell the room nothing any more."""
        print(self.room.leave())

    def _tell(self, key: str, choice: str) -> None:
        self.room.predicted(self.number, key, choice)

    def _say(self, markdown: str, *verdicts: Verdict):
        """A paragraph, which a recording keeps beside the names that its verdicts have."""
        from constraintlab.course.show import Text

        found = [[r.value for r in v.constraint] for v in verdicts]
        said = Text(markdown)
        self._record("said", text=str(said), constraints=found)
        return said

    def _record(self, do: str, **said: object) -> None:
        if self.recorder:
            self.recorder.note(do, **said)

    def _pass_on(self) -> None:
        """What went wrong on the way to the room, where the learner sees it."""
        if note := self.room.note():
            print(f"room: {note}")

    def strip(self) -> list:
        """The migration strip so far: one cell a finished lab."""
        return strip(self.progress)

    def stage(self, *chips: str):
        """The live panel with its sampler, ready to run things under it: `live.Stage`."""
        from constraintlab.course.live import Stage

        return Stage(self, *chips)

    def replay(self):
        """This lab's recordings, to scrub through: on a CPU, and on a GPU where there is one."""
        from constraintlab.recordings.show import replay

        return replay(self.number)

    def clock(self) -> float:
        """Seconds since this lab's first cell."""
        return time.perf_counter() - self.started


def strip(progress: Progress) -> list:
    """The migration strip of a learner's progress: one cell a finished lab."""
    from constraintlab.panel import StripCell

    cells = []
    for i in range(9):
        kept = progress.lab(f"{i:02d}").get("strip", {}).get("cell")
        if isinstance(kept, dict):
            # A name that this version does not know shows as a lab without a constraint.
            known = kept.get("constraint") in set(Resource)
            where = Resource(kept["constraint"]) if known else None
            cells.append(StripCell(f"{i:02d}", where, str(kept.get("note", ""))))
    return cells
