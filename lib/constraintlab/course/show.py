"""What a notebook shows: tables, source code, the diff between two rungs, numbers."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Sequence
from html import escape

from constraintlab.panel.numbers import si

__all__ = ["Diff", "Table", "Text", "si", "source"]

FIGURE = 12
"""Characters of a cell that is not broken: a number stays beside its unit in a narrow column."""


class Text:
    """A paragraph of Markdown, which reads as plain text where Markdown is not shown."""

    def __init__(self, markdown: str) -> None:
        self.markdown = markdown

    def __str__(self) -> str:
        return self.markdown.replace("**", "")

    def _repr_mimebundle_(self, **_) -> dict:
        return {"text/markdown": self.markdown, "text/plain": str(self)}


class Table:
    """Rows under headings; the first column is text, the others are aligned right."""

    def __init__(self, headings: Sequence[str], rows: Sequence[Sequence[object]], note: str = ""):
        self.headings, self.note = tuple(headings), note
        self.rows = [tuple(str(cell) for cell in row) for row in rows]
        for row in self.rows:
            if len(row) != len(self.headings):
                raise ValueError(f"{row} has {len(row)} cells, the table {len(self.headings)}")

    def __str__(self) -> str:
        lines = [self.headings, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.headings))]

        def show(line):
            first, *rest = (
                c.ljust(w) if i == 0 else c.rjust(w)
                for i, (c, w) in enumerate(zip(line, widths, strict=True))
            )
            return "  ".join([first, *rest]).rstrip()

        return "\n".join([*map(show, lines), *([self.note] if self.note else [])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def cells(line, tag):
            return "".join(
                f'<{tag} style="{_style(i, tag, c)}">{escape(c)}</{tag}>'
                for i, c in enumerate(line)
            )

        body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in self.rows)
        note = f'<div style="opacity:.75">{escape(self.note)}</div>' if self.note else ""
        return (
            '<table style="font-variant-numeric:tabular-nums;margin-left:0">'
            f"<thead><tr>{cells(self.headings, 'th')}</tr></thead>"
            f"<tbody>{body}</tbody></table>{note}"
        )


def _style(column: int, tag: str, text: str) -> str:
    if column == 0:
        return "text-align:left"
    whole = ";white-space:nowrap" if tag == "td" and len(text) <= FIGURE else ""
    return f"text-align:right{whole}"


def source(function: Callable):
    """The source of one function, highlighted as the notebook does it."""
    from IPython.display import Code

    return Code(inspect.getsource(function), language="python")


class Diff:
    """What changed from one function to its neighbour: that change is the idea."""

    def __init__(self, before: Callable, after: Callable) -> None:
        self.names = tuple(f"{f.__module__.split('.')[-1]}.{f.__name__}" for f in (before, after))
        old, new = (_body(f) for f in (before, after))
        self.lines = list(difflib.unified_diff(old, new, *self.names, lineterm="", n=2))

    def __str__(self) -> str:
        return "\n".join(self.lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        # Neutral, for colours mean resources; the signs say it, too.
        looks = {"+": "background:rgba(128,136,148,.25)", "-": "opacity:.65"}
        rows = []
        for line in self.lines:
            look = "" if line[:3] in ("+++", "---") else looks.get(line[:1], "")
            style = f' style="{look}"' if look else ""
            rows.append(f"<div{style}>{escape(line) or '&nbsp;'}</div>")
        # A line of code is scrolled to, not broken, and a mark reaches as far as its line.
        looks = "line-height:1.35;margin:0;white-space:pre;overflow-x:auto"
        wide = "display:inline-block;min-width:100%"
        return f'<pre style="{looks}"><div style="{wide}">{"".join(rows)}</div></pre>'


def _body(function: Callable) -> list[str]:
    """Source lines without the docstring: a diff is about code."""
    lines = inspect.getsource(function).splitlines()
    doc = inspect.getdoc(function)
    if not doc:
        return lines
    start = next(i for i, line in enumerate(lines) if '"""' in line)
    end = start if lines[start].count('"""') == 2 else start + 1
    while '"""' not in lines[end]:
        end += 1
    return lines[:start] + lines[end + 1 :]
