"""Where naive attention's milliseconds go: products, passes over S×S, fresh pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from constraintlab.attention import naive, stopwatch, workspace
from constraintlab.attention.rung import Shape
from constraintlab.attention.workspace import Workspace
from constraintlab.course.measure import interleave

PARTS = {
    "products": ("bmm", "mm", "baddbmm"),
    "passes over S×S": ("mul", "mul_", "add", "add_", "softmax", "_softmax", "full", "triu_"),
}


def split(call: Callable[[], object], device: str) -> dict[str, float]:
    """Seconds of one call by part: the two products, the S×S passes, and the rest."""
    best: dict[str, float] | None = None
    for _ in range(3):
        laps, whole = stopwatch.laps(call, device)
        found = {p: sum(lap.seconds for lap in laps if lap.op in ops) for p, ops in PARTS.items()}
        found["between operations"] = max(0.0, whole - sum(found.values()))
        if best is None or whole < sum(best.values()):
            best = found
    return best


@dataclass(frozen=True)
class Steps:
    """Seconds of one call by what they went into; textbook = workspace + fresh pages."""

    shape: Shape
    products: float
    passes: float
    rest: float
    workspace: float
    textbook: float

    @property
    def pages(self) -> float:
        """What the textbook version takes longer, since only its memory is fresh."""
        return max(0.0, self.textbook - self.workspace)


def compare_steps(shapes: Sequence[Shape], kept: Workspace, wait: Callable) -> list[Steps]:
    """Textbook beside workspace for each shape, interleaved, with the workspace run split up."""
    found = []
    for shape in shapes:
        inputs = shape.inputs()
        calls = {
            "textbook": lambda i=inputs: naive.attend(*i),
            "workspace": lambda i=inputs: workspace.attend(*i, workspace=kept),
        }
        rounds = interleave(calls, rounds=5, budget=4.0, wait=wait)
        parts = split(calls["workspace"], shape.device)
        whole, kept_time = sum(parts.values()), rounds.median("workspace")
        products, passes, rest = (part * kept_time / whole for part in parts.values())
        found.append(Steps(shape, products, passes, rest, kept_time, rounds.median("textbook")))
    return found
