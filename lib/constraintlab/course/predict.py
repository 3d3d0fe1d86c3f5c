"""Predict before a run, be shown the measurement after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from constraintlab.course.progress import Progress

CONTROLS = ("predict-choice",)
"""Controls a person uses here; each has a browser test that it reacts."""


class Prediction:
    """A question with a few answers; the learner's click is kept, and no click is an answer too.

    Shown in a notebook as a row of buttons. `reveal` holds the choice against the truth.
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
        kept = progress.lab(lab).get("predictions", {}).get(key)
        self.choice = kept if kept in self.options else None
        self._box = None

    def choose(self, option: str) -> None:
        """Commit to an answer; it may be changed until the reveal."""
        if option not in self.options:
            raise ValueError(f"{option!r} is not among the options: {', '.join(self.options)}")
        self.choice = option
        self._progress.put(self.lab, "predictions", self.key, option)
        self._chosen(option)

    def widget(self):
        """The ipywidgets box: question, buttons, what was noted."""
        import ipywidgets as w

        if self._box is None:
            note = w.HTML(self._note())
            buttons = [
                w.Button(
                    description=option,
                    layout=w.Layout(width="auto"),
                    button_style="info" if option == self.choice else "",
                )
                for option in self.options
            ]

            def clicked(button):
                self.choose(button.description)
                for b in buttons:
                    b.button_style = "info" if b is button else ""
                note.value = self._note()

            for b in buttons:
                b.on_click(clicked)
                b.add_class("predict-choice")
            row = w.HBox(buttons, layout=w.Layout(flex_flow="row wrap"))
            title = w.HTML(f"<b>Predict.</b> {escape(self.question)}")
            self._box = w.VBox([title, row, note], layout=w.Layout(margin="4px 0 8px"))
        return self._box

    def _note(self) -> str:
        style = 'style="opacity:.75"'
        if self.choice is None:
            return f"<span {style}>Pick one before you run on. Being wrong is the point.</span>"
        return f"<span {style}>Noted: <b>{escape(self.choice)}</b>. The reveal comes below.</span>"

    def reveal(self, truth: str, because: str) -> Reveal:
        """The choice beside the truth, with the measured reason."""
        return Reveal(self.choice, truth, because)

    def _repr_mimebundle_(self, **kwargs) -> dict:
        bundle = self.widget()._repr_mimebundle_(**kwargs) or {}
        bundle["text/plain"] = f"Predict. {self.question}\n  " + "  /  ".join(self.options)
        return bundle


class Reveal:
    """What was predicted beside what was measured."""

    def __init__(self, choice: str | None, truth: str, because: str) -> None:
        self.choice, self.truth, self.because = choice, truth, because

    @property
    def right(self) -> bool:
        return self.choice == self.truth

    def __str__(self) -> str:
        said = f"you said: {self.choice}" if self.choice else "you made no prediction"
        return f"measured: {self.truth} ({said}). {self.because}"

    def _repr_mimebundle_(self, **_) -> dict:
        mark = "✓" if self.right else "○" if self.choice is None else "✗"
        said = f"You said <b>{escape(self.choice)}</b>." if self.choice else "No prediction made."
        html = (
            f'<div style="border-left:4px solid #888;padding:2px 0 2px 12px">'
            f"<b>{mark} Measured: {escape(self.truth)}.</b> {said}<br>{escape(self.because)}</div>"
        )
        return {"text/plain": str(self), "text/html": html}
