"""`constraintlab passport`: print it, as text or JSON, or write it as a page."""

from __future__ import annotations

import json as library
import sys
from pathlib import Path

from constraintlab.course.passport import Passport, passport
from constraintlab.course.passport_tables import NOTHING, overview, pages, totals
from constraintlab.course.progress import Progress
from constraintlab.course.show import Table
from constraintlab.limits.keeping import write
from constraintlab.panel.palette import COLOURS, MARKS


def main(html: Path | None = None, json: bool = False, progress: Progress | None = None) -> int:
    """The exit status: 2 where the page can't be written."""
    progress = progress or Progress(say=_say)
    found = passport(progress)
    if html is not None:
        from constraintlab.course.passport_html import page

        try:
            write(html, page(found, progress))
        except OSError as error:
            _say(f"{html} can't be written ({error.strerror}): name another file")
            return 2
        _say(f"{html} holds the page; any browser opens it")
    if json:
        print(library.dumps(found.as_dict(), indent=1, allow_nan=False))
    elif html is None:
        show(found)
    return 0


def _say(line: str) -> None:
    print(f"passport: {line}", file=sys.stderr)


def show(found: Passport, width: int | None = None) -> None:
    """On the terminal."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, width=width)
    if not found.begun:
        console.print(Text(NOTHING))
        return
    console.print(_strip(found))
    console.print(_drawn(overview(found)))
    console.print(_pairs(totals(found)))
    for lab, tables in pages(found):
        where = " · ".join(filter(None, (lab.machine, lab.date)))
        console.print(Text.assemble("\n", (f"{lab.number} {lab.title}", "bold"), f"  {where}"))
        for caption, table in tables:
            console.print(_drawn(table, caption))


def _strip(found: Passport):
    """The migration strip: a lab each, where the constraint was."""
    from rich.text import Text

    text = Text()
    for lab in found.labs:
        if not lab.done:
            continue
        if text:
            text.append(" → ", "dim")
        r = lab.constraint
        text.append(f"{lab.number} ")
        if r:
            text.append(f"{MARKS[r]} ", COLOURS[r])
        text.append(r.label if r else "no limit", "bold")
    return text


def _drawn(table: Table, caption: str = ""):
    from rich.table import Table as Drawn
    from rich.text import Text

    drawn = Drawn(title=caption or None, title_justify="left", box=None, pad_edge=False,
                  header_style="dim", title_style="italic", caption=table.note or None,
                  caption_justify="left")  # fmt: skip
    for i, head in enumerate(table.headings):
        # Names and numbers stay whole; prose is what gives way on a narrow terminal.
        short = max((len(row[i]) for row in table.rows), default=0) <= (14 if i else 24)
        drawn.add_column(Text(head), no_wrap=short, overflow="fold")
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    return drawn


def _pairs(pairs: list[tuple[str, str]]):
    from rich.table import Table as Drawn
    from rich.text import Text

    drawn = Drawn(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for what, text in pairs:
        drawn.add_row(Text(what, "dim"), Text(text))
    return drawn
