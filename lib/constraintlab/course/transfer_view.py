"""The cards of the transfer test in a notebook: one at a time, two questions beside its figures."""

from __future__ import annotations

from html import escape
from itertools import groupby

from constraintlab.course.predict import DARK, LIT, PARAGRAPH
from constraintlab.course.transfer import ASKED, CHOICES, FORMS, Card, Transfer

CONTROLS = ("transfer-constraint", "transfer-next", "transfer-turn", "transfer-hand-in")
"""Controls a person uses here; each has a browser test that it reacts."""

HEADS = {"load": "What is asked of it", "sheet": "What it could do", "seen": "What is seen"}
QUESTIONS = {"constraint": "What binds?", "next": "Without that limit, what binds next?"}


def view(test: Transfer):
    """The box: a card, its questions, a button to each side, one to hand in."""
    import ipywidgets as w

    at = 0
    shown, note, place = w.HTML(), w.HTML(), w.HTML()
    auto = w.Layout(width="auto")
    asked = {
        what: w.RadioButtons(
            options=[(r.label, r) for r in CHOICES], value=None, description="",
            tooltip=QUESTIONS[what],
            layout=w.Layout(width="220px"),
        )
        for what in ASKED
    }  # fmt: skip
    turns = {step: w.Button(description=text, layout=auto)
             for step, text in ((-1, "‹ card before"), (1, "next card ›"))}  # fmt: skip
    hand_in = w.Button(description="hand in", layout=auto, button_style="info")
    hand_in.style.button_color, hand_in.style.text_color = LIT, DARK

    def draw():
        card, said, done = test.cards[at], test.answers[at], test.done
        after = _verdict(card, said) if done and test.form == "after" else ""
        shown.value = _table(card) + after
        place.value = f"<b>Card {at + 1} of {len(test.cards)}</b>"
        for what, radio in asked.items():
            radio.value, radio.disabled = said.get(what), done
        turns[-1].disabled, turns[1].disabled = at == 0, at == len(test.cards) - 1
        tell()

    def tell():
        hand_in.disabled = bool(test.done or test.missing)
        note.value = f'<span style="opacity:.75">{_note(test)}</span>'

    def chosen(what, resource):
        # To show what was said before is no answer.
        if resource is not None and resource is not test.answers[at].get(what):
            test.answer(at, what, resource)
            tell()

    def turn(step):
        nonlocal at
        at = min(max(at + step, 0), len(test.cards) - 1)
        draw()

    def end(_):
        test.hand_in()
        draw()

    for step, button in turns.items():
        button.on_click(lambda _, step=step: turn(step))
        button.add_class("transfer-turn")
    hand_in.on_click(end)
    hand_in.add_class("transfer-hand-in")
    for what, radio in asked.items():
        radio.observe(lambda change, what=what: chosen(what, change["new"]), "value")
        radio.add_class(f"transfer-{what}")
    draw()
    questions = [
        w.VBox([w.HTML(f"<b>{QUESTIONS[what]}</b>"), radio], layout=w.Layout(margin="0 0 0 24px"))
        for what, radio in asked.items()
    ]
    wrap = w.Layout(flex_flow="row wrap")
    words = f"<b>Transfer test, {FORMS[test.form]}.</b> {_INTRO}"
    title = w.HTML(f'<div style="{PARAGRAPH}">{words}</div>')
    middle = w.HBox([shown, *questions], layout=wrap)
    return w.VBox([title, middle, w.HBox([turns[-1], place, turns[1], hand_in]), note])


_INTRO = (
    "Six serving stacks on the virtual clock. Find out from the figures what limits the output "
    "tokens a second, and what would then. <i>Host</i> is the engine's host time and the front "
    "end's core alike. Two points a card."
)


def _note(test: Transfer) -> str:
    if not test.done:
        given = test.most - test.missing
        return f"{given} of {test.most} answers given. You may change them until you hand in."
    kept = f"Handed in: {test.score} of {test.most} points, kept in your passport."
    if test.form == "after":
        return kept + " Each card now says what was so."
    return kept + " After lab 08 there are six others, and what was so is told then."


def _table(card: Card) -> str:
    body = ""
    for group, lines in groupby(card.rows, key=lambda row: row[0]):
        body += (
            '<tr><td colspan="2" style="text-align:left;padding-top:6px;opacity:.75">'
            f"{HEADS[group]}</td></tr>"
        )
        for _, what, text in lines:
            body += (
                f'<tr><td style="text-align:left;white-space:nowrap;padding-right:12px">'
                f'<b>{escape(what)}</b></td><td style="text-align:left">{escape(text)}</td></tr>'
            )
    style = "font-variant-numeric:tabular-nums;max-width:640px;line-height:1.4"
    return f'<table style="{style}">{body}</table>'


def _verdict(card: Card, said: dict) -> str:
    marks = ", ".join(
        f"{'✓' if resource is getattr(card, what) else '✗'} {resource.label}"
        for what, resource in said.items()
    )
    return (
        '<div style="border-left:4px solid #888;padding:2px 0 2px 12px;margin-top:6px;'
        'line-height:1.5">'
        f"You said {escape(marks)}.<br><b>By perturbation:</b> {escape(card.why())}.</div>"
    )
