"""Tables, diffs and numbers as a notebook shows them."""

import pytest

from constraintlab.attention import naive, workspace
from constraintlab.course.check import Result
from constraintlab.course.show import Diff, Table
from constraintlab.panel.palette import COLOURS


def test_a_table_reads_the_same_as_text_and_as_html():
    table = Table(("what", "n"), [("a<b", 1), ("c", 22)], "note")
    assert str(table).splitlines() == ["what   n", "a<b    1", "c     22", "note"]
    assert "a&lt;b" in table._repr_html_() and "note" in table._repr_html_()
    with pytest.raises(ValueError, match="cells"):
        Table(("a",), [(1, 2)])


def test_a_figure_stays_beside_its_unit_and_longer_cells_may_break():
    html = Table(("", "p90", "why"), [("x", "6.5 s", "waits for a free slot")])._repr_html_()
    assert '<td style="text-align:right;white-space:nowrap">6.5 s</td>' in html
    assert '<td style="text-align:right">waits for a free slot</td>' in html
    assert '<td style="text-align:left">x</td>' in html


def test_the_diff_of_two_rungs_is_their_idea_and_fits_a_screen():
    diff = Diff(naive.attend, workspace.attend)
    assert any(line.startswith("+") and "out=scores" in line for line in diff.lines)
    assert not any("Raises" in line for line in diff.lines), "docstrings are no code"
    assert len(diff.lines) <= 45
    assert "white-space:pre;" in diff._repr_html_(), "a line of code is not broken in mid-word"


def test_marks_and_diffs_have_no_colour_that_means_a_resource():
    shown = [Diff(naive.attend, workspace.attend)._repr_html_()]
    shown += [Result(ok, "so")._repr_mimebundle_()["text/html"] for ok in (True, False)]
    assert "<b>✓</b> right" in shown[1] and "<b>✗</b> not yet" in shown[2]
    for html in shown:
        for colour in COLOURS.values():
            parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
            assert colour.lower() not in html.lower() and f"{parts[0]},{parts[1]}" not in html
