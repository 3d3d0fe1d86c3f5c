"""An engine's reports as a stack, and so as a verdict: what labs 04 and 05 say of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from constraintlab.engine.report import Counted, Report
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.compose import step_costs
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.stack import HostStage, Stack, kv_room
from constraintlab.limits.work import Kernel, Work

STAGES = ("schedule", "draw", "emit")


@dataclass(frozen=True)
class Window:
    """What an engine did between two reports."""

    first: Report
    last: Report

    @property
    def seconds(self) -> float:
        return self.last.now - self.first.now

    def grown(self, name: str) -> float:
        """How much a counter of `Report.totals` has grown."""
        return self.last.totals[name] - self.first.totals[name]

    @property
    def rate(self) -> float:
        """Output tokens a second."""
        return self.grown("tokens") / self.seconds

    @property
    def batch(self) -> float:
        """Sequences a step, on average."""
        return self.grown("sequences") / max(1.0, self.grown("steps"))

    @property
    def forward(self) -> float:
        """Share of the time inside the model's forward pass: kernels, and what lies between."""
        return self.grown("forward") / self.seconds

    @property
    def busy(self) -> float:
        """Share of the time that the device was inside steps, by its own clock if it has one."""
        return self.grown("device") / self.seconds

    @property
    def wait(self) -> float:
        """Share of the time that the host did nothing but wait for a device; 0 on a CPU."""
        return self.grown("wait") / self.seconds

    @property
    def around(self) -> float:
        """Seconds outside of steps in which there was work: messages to and from the engine's
        process, and whatever kept it from its next step."""
        inside = sum(self.grown(name) for name in ("forward", *STAGES, "rest"))
        return max(0.0, self.seconds - inside)

    @property
    def step(self) -> float:
        """Seconds of a step with all that is around it, on average."""
        return self.seconds / max(1.0, self.grown("steps"))

    @property
    def spare(self) -> float:
        """Reserved slots that held nothing for each resident request, in blocks, over time."""
        empty = self.grown("kv_seconds") - self.grown("used_seconds")
        return empty / max(1e-9, self.grown("resident_seconds")) / self.last.block_size

    @property
    def device_ms(self) -> float:
        """Milliseconds inside the forward pass for each output token."""
        return 1e3 * self.grown("forward") / max(1.0, self.grown("tokens"))

    @property
    def waste(self) -> float:
        """Share of the reserved token slots that held nothing, over time."""
        reserved = self.grown("kv_seconds")
        return 1 - self.grown("used_seconds") / reserved if reserved else 0.0

    @property
    def queue(self) -> float:
        """Requests that waited, on average."""
        return self.grown("waiting_seconds") / self.seconds

    def work(self) -> dict[str, Counted]:
        """Each kernel's counted work within the window."""
        zero = Counted("")
        return {
            name: Counted(
                now.unit,
                *(a - b for a, b in zip(now[1:], self.first.work.get(name, zero)[1:], strict=True)),
            )
            for name, now in self.last.work.items()
        }

    def flops(self) -> float:
        """FLOP/s of the matrix products, counted over measured time."""
        done = (w.fixed_flops + w.own_flops for w in self.work().values() if w.unit != "exp")
        return self._each_second(sum(done))

    def bytes(self) -> float:
        """Bytes a second that the model must move, counted over measured time."""
        return self._each_second(sum(w.fixed_bytes + w.own_bytes for w in self.work().values()))

    def _each_second(self, counted: float) -> float:
        """From the steps that were counted to all of them, a second."""
        steps = max(1.0, self.grown("counted_steps"))
        return counted / steps * self.grown("steps") / self.seconds


def kernels(window: Window) -> tuple[Kernel, ...]:
    """The window's average step: each kernel's work once a step, and for each sequence."""
    steps = max(1.0, window.grown("counted_steps"))
    sequences = max(1.0, window.grown("counted_sequences"))
    return tuple(
        Kernel(
            name,
            Work(w.own_flops / sequences, w.own_bytes / sequences, w.own_fresh / sequences),
            Work(w.fixed_flops / steps, w.fixed_bytes / steps, w.fixed_fresh / steps),
            unit=w.unit,
        )
        for name, w in window.work().items()
    )


@dataclass(frozen=True)
class Between:
    """Seconds of a forward pass that no counted kernel explains: of a step, of each sequence in
    it, and of a step in which a prompt is computed."""

    fixed: float = 0.0
    each: float = 0.0
    prompt: float = 0.0


def between(alone: Window, crowd: Window, prompts: Window, caps: Capacities) -> Between:
    """What lies between kernels, from a run of one sequence, of several, and of prompts one a step.

    With one sequence the kernels are at their smallest, so nearly all of it is a step's own.
    Medians of the steps: a neighbour on the same cores stalls some for long.
    """
    one, many = (_unexplained(w, caps, prompt=False) for w in (alone, crowd))
    each = max(0.0, (many - one) / (crowd.batch - alone.batch))
    fixed = max(0.0, one - each * alone.batch)
    most = _unexplained(prompts, caps, prompt=True)
    return Between(fixed, each, max(0.0, most - fixed - each * prompts.batch))


def _unexplained(window: Window, caps: Capacities, *, prompt: bool) -> float:
    """Seconds of a median step, with a prompt or without, less what its kernels should take."""
    stack = Stack(kernels(window), population=window.batch)
    counted = sum(c.at(window.batch) for c in step_costs(stack, caps))
    seen = [s for s, n in window.last.recent[-int(window.grown("steps")) :] if (n > 0) == prompt]
    return median(seen) - counted


def engine_stack(window: Window, caps: Capacities, gap: Between) -> Stack:
    """The engine at the window's working point. gap: what `between` measured. Kernels on a device
    of their own spend none of the cores.

    Whoever waits is the population; a queue that never emptied counts as endless.
    """
    sequences = max(1.0, window.grown("sequences"))
    capacity = window.last.kv[0]
    held = window.grown("kv_seconds")
    room = kv_room(capacity, [(window.grown("resident_seconds"), held)]) if held else math.inf
    waits = window.queue >= 0.5
    stages = {name: window.grown(name) for name in STAGES}
    stages |= {"tell": window.around, "prompts": gap.prompt * window.grown("prefills")}
    host = [HostStage("dispatch", fixed=gap.fixed, each=gap.each)]
    host += [HostStage(name, each=seconds / sequences) for name, seconds in stages.items()]
    return Stack(
        kernels(window),
        tuple(host),
        tokens=window.grown("tokens") / sequences,
        population=math.inf if waits else window.batch,
        slots=window.last.slots,
        kv_room=room,
        shared_cores=caps.cores if window.last.device == "cpu" else None,
    )


def at_work(stack: Stack, window: Window, threads: int | None) -> Stack:
    """The same for an engine that waits for its readers now and then: outside of its steps it is
    charged what its process spent there, core-seconds, and not the time that went by."""
    told = outside(window, threads) / max(1.0, window.grown("sequences"))
    host = (HostStage(s.name, each=told) if s.name == "tell" else s for s in stack.host)
    return replace(stack, host=tuple(host))


def outside(window: Window, threads: int | None) -> float:
    """Core-seconds of the process that were not in a step. With one thread they are all that it
    spent beside its steps; with more only those of `tell` can be told from the steps' own."""
    inside = sum(window.grown(name) for name in ("forward", *STAGES))
    rest = window.grown("cpu") - inside if threads == 1 else 0.0
    return max(rest, window.grown("tell"))


def measured(reports: list[Report], unit: str = "tok/s") -> Estimate:
    """Output tokens a second between neighbouring reports, with their spread."""
    rates = [Window(a, b).rate for a, b in pairwise(reports) if b.now > a.now]
    return Estimate.of(rates, unit)
