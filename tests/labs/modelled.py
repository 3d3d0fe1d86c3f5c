"""A lab's own cells, run on a machine that is not there: what would be timed is asked of the model.

A cell's code is the notebook's. `Stage.run`, races and whatever else takes seconds are taken over,
so that what the cells tell can be held against verdicts and gains that are known.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace

import torch

from constraintlab.attention import flash, fused
from constraintlab.attention.rung import Shape
from constraintlab.course.lab import Lab
from constraintlab.course.live import Run
from constraintlab.course.measure import Rounds
from constraintlab.course.progress import Progress
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.compose import throughput
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.stack import Stack
from constraintlab.limits.verdict import Verdict
from constraintlab.limits.work import Work
from tests.labs.machines import Machine


def once(x: float, unit: str = "×") -> Estimate:
    return Estimate(x, x, x, unit)


def seconds(stack: Stack, caps: Capacities) -> float:
    """Of a call, as the model has it."""
    return stack.tokens / throughput(stack, caps)


class Stage:
    """In the place of `live.Stage`: runs nothing, and its panel is a list of verdicts."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.verdicts = machine, []
        self.panel = SimpleNamespace(set_strip=lambda strip: None)

    def run(
        self, name: str, call: object, stack: Stack, work: Work, *, seconds: float,
        unit: str = "float32", rate: str = "tok/s",
    ) -> Run:  # fmt: skip
        """The verdict of `live.Stage.run`, on the throughput that this machine is said to reach."""
        caps = self.machine.caps
        x = throughput(stack, caps) * self.machine.seen
        found = diagnose(stack, caps, measured=once(x, rate), unit=rate)
        self.verdicts.append(found)
        return Run(found, caps, stack.tokens / x, 0.97, work)

    def close(self) -> None:
        """Nothing was opened."""


class ModelledLab(Lab):
    """A lab on such a machine. stacks: of the calls that it races, by name; reached: what a call
    reaches of the model's throughput, where that is not 1."""

    def __init__(self, number: str, machine: Machine, progress: Progress) -> None:
        super().__init__(number, progress)
        self.machine, self.device, self.preset = machine, machine.device, "full"
        self.stacks: dict[str, Stack] = {}
        self.reached: dict[str, float] = {}
        self.stages: list[Stage] = []

    @property
    def capacities(self) -> Capacities:
        return self.machine.caps

    def wait(self) -> None:
        """Nothing runs."""

    def stage(self, *chips: str) -> Stage:
        self.stages.append(Stage(self.machine))
        return self.stages[-1]

    def race(self, calls: Mapping[str, Callable[[], object]]) -> Rounds:
        caps, reached = self.machine.caps, self.reached
        return Rounds(
            {n: (seconds(self.stacks[n], caps) / reached.get(n, 1.0),) * 3 for n in calls}
        )

    def gain(self, name: str, over: str) -> Estimate:
        """As the race has it."""
        return self.race({name: None, over: None}).gain(name, over)

    @property
    def verdicts(self) -> list[Verdict]:
        """Of all its runs, in order."""
        return [v for stage in self.stages for v in stage.verdicts]


@dataclass
class Ran:
    """What cells told, in order, and the names that they left."""

    told: list[str] = field(default_factory=list)
    names: dict[str, object] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "\n".join(self.told)

    def one(self, part: str) -> str:
        """The only thing told that has this part."""
        found = [t for t in self.told if part in t]
        assert len(found) == 1, f"{len(found)} have {part!r}: {self.told}"
        return found[0]


def shown(what: object) -> str:
    """As the reader of a notebook has it, in plain text."""
    bundle = getattr(what, "_repr_mimebundle_", lambda: {"text/plain": str(what)})()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    return data["text/plain"]


def run(notebook: dict, cells: list[int], names: dict[str, object]) -> Ran:
    """These cells in order, as IPython runs them: what they print, display and end with is told."""
    ran = Ran(names=names)
    names |= {"display": lambda *some: ran.told.extend(map(shown, some))}
    names |= {"print": lambda *some: ran.told.append(" ".join(map(str, some)))}
    for i in cells:
        body = ast.parse("".join(notebook["cells"][i]["source"])).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), f"cell {i}", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), f"cell {i}", "eval"), names)
            if value is not None:
                ran.told.append(shown(value))
    return ran


def told(notebook: dict, cell: int, names: Mapping[str, object], *calls: str) -> list[str]:
    """What a cell's calls of these methods tell (`explain`, `went`, `reveal`), each on its own, in
    order. names: what the cell measured among them."""
    tree = ast.parse("".join(notebook["cells"][cell]["source"]))
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Call)
             and getattr(n.func, "attr", "") in calls]  # fmt: skip
    found.sort(key=lambda n: n.lineno)
    return [shown(eval(compile(ast.Expression(n), f"cell {cell}", "eval"), dict(names)))
            for n in found]  # fmt: skip


def nothing_computed(monkeypatch) -> None:
    """Inputs without contents, so that no cell computes by mistake."""

    def inputs(shape: Shape, seed: int = 0) -> tuple[torch.Tensor, ...]:
        sizes = [(shape.heads, shape.queries), *[(shape.kv_heads, shape.keys)] * 2]
        return tuple(torch.empty(shape.batch, h, t, shape.dim, device="meta") for h, t in sizes)

    monkeypatch.setattr(Shape, "inputs", inputs)
    there = SimpleNamespace(backend=SimpleNamespace(name="modelled"))
    for rung in (fused, flash):
        monkeypatch.setattr(rung, "choice", lambda shape: there)
