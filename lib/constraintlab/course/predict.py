"""Predict before a run, be shown the measurement after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from constraintlab.course.confidence import LEVELS, PART, calibration
from constraintlab.course.progress import Progress

CONTROLS = ("predict-choice", "predict-sure")
"""Controls a person uses here; each has a browser test that it reacts."""

LIT, DARK = "#4dd0e1", "#111418"
"""A button that is set off, and its letters: JupyterLab's own white on cyan can't be read."""

PARAGRAPH = "line-height:1.5;padding:3px 0"
"""Of text in a widget that may take two lines: ipywidgets sets them as far apart as buttons."""


class Prediction:
    """A question with a few answers; the learner's click is kept, and no click is an answer too.

    Shown in a notebook as a row of buttons, and one for how sure it is, which may be left out.
    `reveal` holds the choice against the truth; the first reveal is what counts for the score.
    chosen: called with each choice once it is kept.
    """

    def __init__(
        self,
        progress: Progress,
        lab: str,
        key: str,
        question: str,
        options: Sequence[str],
        chosen: Callable[[str], object] = lambda option: None,
    ) -> None:
        if len(set(options)) < 2:
            raise ValueError(f"{key}: a prediction needs at least two different options")
        self.lab, self.key, self.question, self.options = lab, key, question, tuple(options)
        self._progress, self._chosen = progress, chosen
        kept = progress.lab(lab)
        choice, sure = (kept.get(part, {}).get(key) for part in ("predictions", "confidence"))
        self.choice = choice if choice in self.options else None
        self.sure = sure if sure in LEVELS else None
        self._seen = key in kept.get(PART, {})
        self._box = None

    def choose(self, option: str) -> None:
        """Commit to an answer; it may be changed until the reveal."""
        if option not in self.options:
            raise ValueError(f"{option!r} is not among the options: {', '.join(self.options)}")
        self.choice = option
        self._progress.put(self.lab, "predictions", self.key, option)
        self._chosen(option)

    def rate(self, sure: str) -> None:
        """Say how sure the answer is: one of LEVELS."""
        if sure not in LEVELS:
            raise ValueError(f"{sure!r} is not among: {', '.join(LEVELS)}")
        self.sure = sure
        self._progress.put(self.lab, "confidence", self.key, sure)

    def widget(self):
        """The ipywidgets box: question, buttons, how sure, what was noted."""
        import ipywidgets as w

        if self._box is None:
            note = w.HTML(self._note())

            def row(labels, name, act, chosen):
                """Buttons of which one is marked. labels: value → what its button says."""
                buttons = {
                    value: w.Button(description=label, layout=w.Layout(width="auto"))
                    for value, label in labels.items()
                }

                def mark(chosen):
                    for value, b in buttons.items():
                        b.button_style = "info" if value == chosen else ""
                        b.style.button_color = LIT if value == chosen else None
                        b.style.text_color = DARK if value == chosen else None

                def clicked(value):
                    act(value)
                    mark(value)
                    note.value = self._note()

                mark(chosen)
                for value, b in buttons.items():
                    b.on_click(lambda _, value=value: clicked(value))
                    b.add_class(name)
                return w.HBox(list(buttons.values()), layout=w.Layout(flex_flow="row wrap"))

            options = row({o: o for o in self.options}, "predict-choice", self.choose, self.choice)
            levels = {level: f"{level} · {p:.0%}" for level, p in LEVELS.items()}
            sure = row(levels, "predict-sure", self.rate, self.sure)
            asked = w.HTML('<span style="opacity:.75">How sure?</span>')
            sure.children = (asked, *sure.children)
            words = f"<b>Predict.</b> {escape(self.question)}"
            title = w.HTML(f'<div style="{PARAGRAPH}">{words}</div>')
            margin = w.Layout(margin="4px 0 8px")
            self._box = w.VBox([title, options, sure, note], layout=margin)
        return self._box

    def _note(self) -> str:
        style = 'style="opacity:.75"'
        if self.choice is None:
            return f"<span {style}>Pick one before you run on. Being wrong is the point.</span>"
        said = f"<b>{escape(self.choice)}</b>" + (f", {self.sure}" if self.sure else "")
        after = "The reveal comes below."
        if self._seen:
            after = (
                "This was revealed before, and the first time is what counts: "
                f"<code>constraintlab reset {escape(self.lab)}</code> starts the lab afresh."
            )
        return f"<span {style}>Noted: {said}. {after}</span>"

    def reveal(self, truth: str, because: str) -> Reveal:
        """The choice beside the truth, with the measured reason."""
        kept = {
            "question": self.question, "choice": self.choice, "sure": self.sure, "truth": truth,
            "because": because,
        }  # fmt: skip
        self._progress.first(self.lab, PART, self.key, kept)
        self._seen = True
        so_far = str(calibration(self._progress)) if self.choice else ""
        return Reveal(self.choice, truth, because, self.sure, so_far)

    def _repr_mimebundle_(self, **kwargs) -> dict:
        bundle = self.widget()._repr_mimebundle_(**kwargs) or {}
        bundle["text/plain"] = f"Predict. {self.question}\n  " + "  /  ".join(self.options)
        return bundle


class Reveal:
    """What was predicted beside what was measured. so_far: the learner's score in all labs."""

    def __init__(
        self, choice: str | None, truth: str, because: str, sure: str | None = None,
        so_far: str = "",
    ) -> None:  # fmt: skip
        self.choice, self.truth, self.because = choice, truth, because
        self.sure, self.so_far = sure, so_far

    @property
    def right(self) -> bool:
        return self.choice == self.truth

    def __str__(self) -> str:
        how = f", {self.sure}" if self.sure else ""
        said = f"you said: {self.choice}{how}" if self.choice else "you made no prediction"
        return f"measured: {self.truth} ({said}). {self.because}"

    def _repr_mimebundle_(self, **_) -> dict:
        mark = "✓" if self.right else "○" if self.choice is None else "✗"
        how = f", {self.sure}" if self.sure else ""
        said = "No prediction made."
        if self.choice:
            said = f"You said <b>{escape(self.choice)}</b>{how}."
        score = f'<br><span style="opacity:.75">{escape(self.so_far)}</span>' * bool(self.so_far)
        html = (
            f'<div style="border-left:4px solid #888;padding:2px 0 2px 12px">'
            f"<b>{mark} Measured: {escape(self.truth)}.</b> {said}<br>{escape(self.because)}"
            f"{score}</div>"
        )
        return {"text/plain": str(self), "text/html": html}
