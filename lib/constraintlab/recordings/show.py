"""`replay`: a lab's recordings in a notebook."""

from __future__ import annotations

from pathlib import Path

from constraintlab.panel.player import Player
from constraintlab.recordings import catalogue, play


def replay(lab: str, folder: Path = catalogue.FOLDER) -> Player:
    """Every recording of a lab (two digits) to scrub through, as a widget."""
    plain = (
        f"Recorded runs of lab {lab}: open this notebook in JupyterLab to scrub through them, or "
        f"run `constraintlab replay {lab}-cpu`"
    )
    return Player(play.packed(lab, catalogue.of_lab(lab, folder)), plain)
