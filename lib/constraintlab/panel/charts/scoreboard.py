"""A scoreboard of scheduler policies: p50 and p99 of each, for each class of requests."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.limits.estimate import Estimate
from constraintlab.panel.charts.theme import TICK, config, part
from constraintlab.panel.latencytitle import fold
from constraintlab.panel.latencyview import TICKS
from constraintlab.panel.palette import THEMES, kind
from constraintlab.panel.picture import Picture
from constraintlab.panel.streamtitle import wait

WIDTH, ROW = 330, 36
"""Pixels: of a class, from policy to policy."""

INTERVALS = "95% intervals"

BLANK = "\u00a0"
"""In place of a title that stands beside it already, so that both classes are as high."""


@dataclass(frozen=True)
class Score:
    """One policy for one class of requests. p50, p99: in seconds, with their 95% intervals; an
    infinite `high` is an open one; `Estimate.absent` where a percentile is withheld, with why."""

    policy: str
    group: str
    p50: Estimate
    p99: Estimate

    def __post_init__(self) -> None:
        for e in (self.p50, self.p99):
            if not e.missing and not 0 < e.value < math.inf:
                raise ValueError(f"{self.policy}, {self.group}: {e.value} s: give seconds above 0")


def groups(scores: Sequence[Score]) -> list[str]:
    """The classes in the order in which they come; each policy has one score in each."""
    found = list(dict.fromkeys(s.group for s in scores))
    policies = dict.fromkeys(s.policy for s in scores)
    pairs = [(s.policy, s.group) for s in scores]
    if not scores or sorted(pairs) != sorted((p, g) for p in policies for g in found):
        raise ValueError("give each policy one score for each class of requests")
    return found


def ranked(scores: Sequence[Score]) -> list[str]:
    """The policies, the lowest p99 of the first class first; those without one last."""
    first = groups(scores)[0]
    mine = [s for s in scores if s.group == first]
    return [s.policy for s in sorted(mine, key=_rank)]


def _rank(s: Score) -> tuple:
    return (s.p99.missing, 0.0 if s.p99.missing else s.p99.value)


def title(scores: Sequence[Score], own: str = "") -> str:
    """The finding: where your own policy stands, or else which leads, and what it costs others."""
    order, found = ranked(scores), groups(scores)
    at = {(s.policy, s.group): s.p99 for s in scores}
    known = [p for p in order if not at[p, found[0]].missing]
    who = own if own in known else known[0] if known else ""
    if not who:
        return f"p99 of {found[0]} is withheld for every policy"
    place, value, best = known.index(who), at[who, found[0]].value, at[known[0], found[0]].value
    if place:
        told = f"{who} is {_nth(place + 1)} of {len(known)} by p99 of {found[0]}: {wait(value)}, "
        told += f"{known[0]} {wait(best)}"
    else:
        told = f"{who} has the lowest p99 of {found[0]}: {wait(value)}"
        if len(known) > 1:
            last = at[known[-1], found[0]].value
            told += f", {known[-1]} {fold(last / value)} times that"
    for group in found[1:]:
        others = [at[p, group].value for p in order if not at[p, group].missing]
        if not at[who, group].missing and len(others) > 1:
            mine, least = at[who, group].value, min(others)
            said = "the lowest too" if mine == least else f"{fold(mine / least)} times the lowest"
            told += f"; of {group} {wait(mine)}, {said}"
    return told


def _nth(place: int) -> str:
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{place}{'th' if place // 10 == 1 else ends.get(place % 10, 'th')}"


def rows(scores: Sequence[Score], group: str) -> list[dict]:
    """The dots of one class: `{policy, p, x, low, high (s), text, open}`."""
    low, high = span(scores)
    return [
        {"policy": s.policy, "p": p, "x": e.value, "low": max(e.low, low),
         "high": min(e.high, high), "text": wait(e.value), "open": math.isinf(e.high)}
        for s in scores if s.group == group
        for p, e in (("p50", s.p50), ("p99", s.p99)) if not e.missing
    ]  # fmt: skip


def span(scores: Sequence[Score]) -> tuple[float, float]:
    """Seconds at both ends of the axis, the same for all classes."""
    known = [e for s in scores for e in (s.p50, s.p99) if not e.missing]
    ends = [x for e in known for x in (e.value, e.low, e.high) if 0 < x < math.inf]
    # Room for a number on either side of the dots.
    low, high = min(ends, default=0.1) / 1.5, max(ends, default=0.1) * 1.5
    return max(t for t in TICKS if t <= low), min(t for t in TICKS if t >= high)


def text(scores: Sequence[Score], own: str = "", finding: str = "") -> str:
    """All of it in words, for who sees no chart."""
    told = [f"{finding or title(scores, own)}."]
    for group in groups(scores):
        for policy in ranked(scores):
            s = next(s for s in scores if (s.policy, s.group) == (policy, group))
            told.append(f"{group}, {policy}: p50 {_said(s.p50)}, p99 {_said(s.p99)}.")
    return " ".join(told)


def _said(e: Estimate) -> str:
    if e.missing:
        return e.source
    high = "open" if math.isinf(e.high) else wait(e.high)
    return f"{wait(e.value)} ({wait(e.low)} to {high})"


def spec(
    scores: Sequence[Score], theme: str, own: str = "", finding: str = "", lines: str = INTERVALS
) -> dict:
    """The whole Vega-Lite spec: the classes side by side on one axis, a row a policy."""
    kinds = dict.fromkeys(kind(e.source) for s in scores for e in (s.p50, s.p99) if not e.missing)
    parts = [_class(scores, g, theme, own, i == 0) for i, g in enumerate(groups(scores))]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "hconcat": parts,
        "spacing": 40,
        "title": {"text": textwrap.wrap(finding or title(scores, own), 100), "fontSize": 14,
                  "anchor": "start", "offset": 14, "subtitle": f"○ p50   ● p99, lines: {lines}, "
                  f"seconds on a log axis · {', '.join(kinds)}"},
        "config": {**config(theme), "background": THEMES[theme]["page"]},
        "padding": 12,
    }  # fmt: skip


def _class(scores: Sequence[Score], group: str, theme: str, own: str, named: bool) -> dict:
    import altair as alt

    c, order = THEMES[theme], ranked(scores)
    axis = alt.Axis(values=[t for t in TICKS if f"{t:e}"[0] == "1"], labelExpr=TICK)
    scale = alt.Scale(type="log", domain=list(span(scores)), nice=False)
    x = alt.X("x:Q", title="seconds on a log axis", scale=scale, axis=axis)
    over = alt.Axis(title="policy" if named else BLANK, titleAngle=0, titleAlign="right",
                    titleX=-10, titleY=-8, labels=False, ticks=False, domain=False)  # fmt: skip
    y = alt.Y("policy:N", sort=order, axis=over, scale=alt.Scale(domain=order, padding=0))
    tone = alt.condition(alt.datum.policy == own, alt.value(c["text"]), alt.value(c["quiet"]))

    def of(values):
        return alt.Chart(alt.InlineData(values=values))

    every, made = [{"policy": p} for p in order], rows(scores, group)
    layers = []
    if own in order:
        layers.append(of([{"policy": own}]).mark_rect(fill=c["line"], opacity=0.55).encode(
            x=alt.value(0), x2=alt.value(WIDTH), y=y))  # fmt: skip
    line = {"strokeWidth": 2.5, "strokeCap": "round"}
    layers.append(of(made).mark_rule(**line).encode(x=alt.X("low:Q"), x2="high", y=y, color=tone))
    for p, filled in (("p50", False), ("p99", True)):
        dots = of([row for row in made if row["p"] == p])
        # Numbers stand outwards of the two dots, over the lines.
        at = {"align": "left" if filled else "right", "dx": -2 if filled else 2, "dy": -11}
        layers.append(dots.mark_point(size=62, strokeWidth=2, opacity=1).encode(
            x=x, y=y, stroke=tone, fill=tone if filled else alt.value(c["page"])))  # fmt: skip
        layers.append(dots.mark_text(fontSize=10.5, **at).encode(
            x=x, y=y, text="text:N", color=alt.value(c["text"])))  # fmt: skip
    why = [{"policy": s.policy, "text": f"p99 {s.p99.source}"} for s in scores
           if s.group == group and s.p99.missing]  # fmt: skip
    said = of(why).mark_text(align="right", dx=-4, dy=9, fontSize=10.5, color=c["quiet"])
    layers.append(said.encode(x=alt.value(WIDTH), y=y, text="text:N"))
    ends = of([row for row in made if row["open"]])
    layers.append(ends.mark_text(fontSize=15, dx=3).encode(
        x=alt.X("high:Q"), y=y, text=alt.value("›"), color=tone))  # fmt: skip
    for mine in (True, False) if named else ():
        names = of([e for e in every if (e["policy"] == own) == mine])
        names = names.mark_text(align="right", dx=-10, fontWeight="bold" if mine else "normal")
        layers.append(names.encode(x=alt.value(0), y=y, text="policy:N", color=tone))
    shown = [layer for layer in layers if layer.data.values]
    head = alt.Title(group, fontSize=12, anchor="start", color=c["text"])
    height = ROW * len(order)
    return part(alt.layer(*shown).properties(width=WIDTH, height=height, title=head))


def picture(
    scores: Sequence[Score], own: str = "", finding: str = "", lines: str = INTERVALS
) -> Picture:
    """To be shown in a notebook. own: the policy that is set off; finding: a title; lines: what
    `low` and `high` are, in words."""
    said = text(scores, own, finding)
    return Picture(lambda theme: spec(scores, theme, own, finding, lines), said)
