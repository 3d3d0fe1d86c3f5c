"""What is worked out, on the virtual clock for the most part: `perturb`, `plan`."""

from __future__ import annotations

import typer


def perturb(
    scenario: int = typer.Argument(0, min=0, help="Number of the scenario."),
    seed: int = typer.Option(0, help="Of the scenarios that are drawn."),
    workloads: int = typer.Option(5, help="Seeded workloads, for the interval: 2 to 6, 8 or 10."),
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    real: bool = typer.Option(False, "--real", help="On a real stack of processes: minutes."),
) -> None:
    """Cut each capacity of a scenario on the virtual clock: elasticities, beside the predicted."""
    from constraintlab.course import perturbing

    raise typer.Exit(perturbing.main(seed, scenario, workloads, json, real))


def plan(
    rate: float = typer.Argument(help="Requests a second that come, from independent users."),
    slo: str = typer.Argument(help="What is promised: ttft=500ms, e2e=30s, or both with a comma."),
    profile: str = typer.Option("chat", help="Lengths: chat, code, reasoning or stress."),
    p: float = typer.Option(99.0, "-p", help="The percentile that keeps it: 90 or 99."),
    slots: int = typer.Option(64, min=1, help="Requests that run at a time on a replica."),
    policy: str = typer.Option("chunked", help="The scheduler's: chunked, continuous, mlfq, …"),
    tokens: int = typer.Option(2048, min=1, help="Tokens of a step."),
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
) -> None:
    """How many replicas a promise takes, by the mean and by the tail, on the virtual clock.

    A replica is Llama-3.1-8B on an H100 at its published ceilings (modelled).
    """
    from constraintlab.course import plan_command

    raise typer.Exit(plan_command.main(profile, rate, slo, p, slots, policy, tokens, json))
