"""The passport as one HTML page: no network, light or dark as the browser is, fit to print."""

from __future__ import annotations

import re
from html import escape

from constraintlab.course.migration import migration
from constraintlab.course.migration_map import spec
from constraintlab.course.passport import Passport
from constraintlab.course.passport_tables import NOTHING, overview, pages, totals
from constraintlab.course.progress import Progress
from constraintlab.course.show import Table
from constraintlab.panel.palette import COLOURS, MARKS, THEMES, on

EVERY = "99"
"""After the last lab: the map leaves none out."""

STYLE = """
:root { color-scheme: light dark; LIGHT }
@media (prefers-color-scheme: dark) { :root { DARK } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 860px; padding: 32px 24px 64px; background: var(--page);
  color: var(--text); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 26px; margin: 0 0 4px } h2 { font-size: 18px; margin: 36px 0 4px }
h3 { font-size: 14px; margin: 14px 0 2px; color: var(--quiet) }
p, dl { margin: 4px 0 } .quiet { color: var(--quiet) }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums;
  font-size: 14px }
th, td { text-align: left; vertical-align: top; padding: 4px 12px 4px 0;
  border-bottom: 1px solid var(--line) }
th { color: var(--quiet); font-weight: 600 } td.short { white-space: nowrap }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 16px 0 }
dt { color: var(--quiet) } dd { margin: 0 }
ol.strip { list-style: none; display: flex; flex-wrap: wrap; gap: 8px; padding: 0; margin: 16px 0 }
ol.strip li { background: var(--card); border: 1px solid var(--line); border-radius: 4px;
  padding: 4px 10px 4px 6px }
ol.strip b { display: inline-block; width: 20px; text-align: center; border-radius: 3px;
  margin-right: 4px; font-weight: 400; print-color-adjust: exact }
figure { margin: 20px 0; overflow-x: auto }
figure svg { max-width: 100%; min-width: 640px; height: auto }
@media (max-width: 640px) { body { padding: 16px 12px 48px } dl { grid-template-columns: 1fr }
  table { display: block; overflow-x: auto } }
.dark { display: none }
@media (prefers-color-scheme: dark) { .dark { display: block } .light { display: none } }
@media print { :root { LIGHT } body { padding: 0; max-width: none; font-size: 12px }
  .light { display: block } .dark { display: none } section { break-inside: avoid }
  h2, h3 { break-after: avoid } }
"""


def page(found: Passport, progress: Progress) -> str:
    """The whole file. progress: for the map, which reads it itself."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Constraint Lab: passport</title><style>{_style()}</style></head><body>"
        f"<h1>Constraint Lab: passport</h1>{_body(found, progress)}</body></html>\n"
    )


def _style() -> str:
    def colours(theme):
        return " ".join(f"--{name}: {colour};" for name, colour in THEMES[theme].items())

    return STYLE.replace("LIGHT", colours("light")).replace("DARK", colours("dark"))


def _body(found: Passport, progress: Progress) -> str:
    if not found.begun:
        return f"<p>{escape(NOTHING).replace('`make lab`', '<code>make lab</code>')}</p>"
    parts = [
        '<p class="quiet">The constraint never disappears, it migrates: what was measured, '
        "predicted and solved on the way.</p>",
        _strip(found),
        _pairs(totals(found)),
        _map(progress),
        _table(overview(found)),
    ]
    for lab, tables in pages(found):
        where = " · ".join(filter(None, (lab.machine, lab.date)))
        drawn = "".join(f"<h3>{escape(caption)}</h3>{_table(table)}" for caption, table in tables)
        parts.append(
            f"<section><h2>{lab.number} {escape(lab.title)}</h2>"
            f'<p class="quiet">{escape(where)}</p>{drawn}</section>'
        )
    return "".join(parts)


def _strip(found: Passport) -> str:
    cells = []
    for lab in found.labs:
        if lab.done:
            r = lab.constraint
            mark = ""
            if r:
                look = f"background:{COLOURS[r]};color:{on(COLOURS[r])}"
                mark = f'<b style="{look}">{MARKS[r]}</b>'
            name = escape(r.label if r else "no limit")
            cells.append(f'<li><span class="quiet">{lab.number}</span> {mark}{name}</li>')
    return f'<ol class="strip">{"".join(cells)}</ol>' if cells else ""


def _map(progress: Progress) -> str:
    """The migration map, once for each theme."""
    import vl_convert

    found = migration(progress, EVERY)
    drawn = ""
    for theme in ("light", "dark"):
        svg = vl_convert.vegalite_to_svg(spec(found, theme))
        # Both pictures are in one document: an id may be there once.
        svg = re.sub(r'(id="|url\(#)(?=\w)', rf"\1{theme}-", svg)
        words = f'role="img" aria-label="{escape(found.text)}"'
        drawn += f'<figure class="{theme}" tabindex="0" {words}>{svg}</figure>'
    return drawn


def _pairs(pairs: list[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(a)}</dt><dd>{escape(b)}</dd>' for a, b in pairs)}</dl>"


def _table(table: Table) -> str:
    heads = "".join(f'<th scope="col">{escape(h)}</th>' for h in table.headings)
    body = ""
    for row in table.rows:
        short = [' class="short"' if len(cell) <= 14 else "" for cell in row]
        cells = "".join(f"<td{k}>{escape(c)}</td>" for k, c in zip(short, row, strict=True))
        body += f"<tr>{cells}</tr>"
    note = f'<p class="quiet">{escape(table.note)}</p>' if table.note else ""
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{note}"
