"""What a longer row costs on chip: shared memory and spilled registers, by GPU, with the limits.

Neutral tones and dashes: the resource colours mean a stack's resources and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from constraintlab.panel.charts.theme import config
from constraintlab.panel.palette import THEMES

DASHES = ([1, 0], [6, 3], [2, 3], [8, 3, 2, 3])
"""One a GPU."""


def title(rows: Sequence[dict]) -> str:
    """The finding: the longest row that every GPU holds without spilling, and what ends it."""
    by: dict[int, list[dict]] = {}
    for row in rows:
        by.setdefault(row["keys"], []).append(row)
    good = [k for k, found in by.items() if all(r["fits"] and not r["spilled"] for r in found)]
    beyond = sorted(k for k in by if k > max(good, default=0))
    if not beyond:
        return f"Rows of {max(good)} keys still fit on every chip"
    what = []
    if any(not r["fits"] for r in by[beyond[0]]):
        what.append("shared memory runs out")
    if any(r["spilled"] for r in by[beyond[0]]):
        what.append("registers spill")
    first = f"Up to {max(good)} keys fit on chip" if good else "No row fits on chip"
    return f"{first}; at {beyond[0]} {' and '.join(what)}"


def text(rows: Sequence[dict]) -> str:
    """All of it in words, for who sees no chart."""
    told = [f"{title(rows)}."]
    for arch in dict.fromkeys(r["arch"] for r in rows):
        mine = [r for r in rows if r["arch"] == arch]
        each = (
            f"{r['keys']} keys {r['kib']:.0f} KiB"
            + (f", {r['spilled']} bytes a thread spilled" if r["spilled"] else "")
            for r in mine
        )
        told.append(f"{arch}, which has {mine[0]['limit_kib']:.0f} KiB: {'; '.join(each)}.")
    return " ".join(told)


def labels(rows: Sequence[dict], field: str, near: float) -> list[dict]:
    """Names of GPUs at the end of their lines; those within `near` of each other share one."""
    last = max(r["keys"] for r in rows)
    made: list[dict] = []
    for r in sorted((r for r in rows if r["keys"] == last), key=lambda r: r[field]):
        if made and r[field] - made[-1]["at"] <= near:
            made[-1]["names"].append(r["arch"])
        else:
            made.append({"keys": last, "at": r[field], "names": [r["arch"]]})
    return [m | {"names": ", ".join(dict.fromkeys(m["names"]))} for m in made]


def spec(rows: Sequence[dict], theme: str) -> dict:
    """A Vega-Lite spec. rows: `{arch, keys, kib, limit_kib, spilled (bytes a thread), fits}`."""
    import altair as alt

    c, archs = THEMES[theme], list(dict.fromkeys(r["arch"] for r in rows))
    ticks = alt.Axis(values=sorted({r["keys"] for r in rows}), format="d", grid=False)
    x = alt.X(
        "keys:Q", title="length of a row, keys", axis=ticks,
        scale=alt.Scale(type="log", base=2, nice=False),
    )  # fmt: skip
    dash = alt.StrokeDash(
        "arch:N", legend=None, scale=alt.Scale(domain=archs, range=list(DASHES[: len(archs)]))
    )
    base = alt.Chart(alt.InlineData(values=list(rows)))

    quiet, units = (
        alt.Axis(domain=False, ticks=False, labelPadding=8),
        {"spilled": "spilled, bytes a thread"},
    )

    def y(field, of=""):
        title = units.get(of or field, "shared memory, KiB")
        return alt.Y(f"{field}:Q", title=title, axis=quiet)

    def line(field):
        point = alt.OverlayMarkDef(fill=c["text"], size=35)
        mark = base.mark_line(point=point, stroke=c["text"], strokeWidth=2)
        return mark.encode(x=x, y=y(field), strokeDash=dash)

    def names(field, near, **at):
        data = alt.InlineData(values=labels(rows, field, near))
        text = alt.Chart(data).mark_text(fontSize=11, color=c["quiet"], **at)
        return text.encode(x=x, y=y("at", field), text="names:N")

    def titled(chart, text):
        head = alt.Title(text, fontSize=12, fontWeight="normal", color=c["quiet"])
        return chart.properties(width=300, height=190, title=head)

    limits = base.mark_rule(stroke=c["quiet"], strokeWidth=1)
    limits = limits.encode(y=y("limit_kib"), strokeDash=dash)
    most = max((r["spilled"] for r in rows), default=0)
    whole = alt.hconcat(
        titled(
            limits + line("kib") + names("limit_kib", 1, align="left", dx=8),
            "shared memory that a program asks for; thin: a chip's limit",
        ),
        titled(
            line("spilled") + names("spilled", most * 0.06, align="left", dx=8),
            "registers spilled to memory",
        ),
        spacing=30,
    ).properties(title=alt.Title(title(rows), fontSize=14, color=c["text"], anchor="start"))
    return {**whole.to_dict(), "config": {**config(theme), "background": c["page"]}, "padding": 12}
