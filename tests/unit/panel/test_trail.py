"""What a view's figures were: ten points a second over the last seconds."""

from itertools import pairwise

from constraintlab.panel.trail import Trail


def trail(*points):
    made = Trail()
    for t, running in points:
        made.add(t, running, 2)
    return [(t, n) for t, n, _ in made.points()]


def test_the_trail_keeps_ten_points_a_second_and_the_newest():
    kept = trail(*((i / 100, i) for i in range(101)))
    assert kept[-1] == (1.0, 100) and len(kept) <= 12
    gaps = [b - a for (a, _), (b, _) in pairwise(kept[:-1])]
    assert all(gap >= 0.1 - 1e-9 for gap in gaps)


def test_the_trail_keeps_the_step_that_enters_the_window():
    assert trail((0.0, 1), (1.0, 2), (21.5, 3)) == [(1.0, 2), (21.5, 3)]


def test_a_clock_that_restarts_empties_the_trail():
    assert trail((5.0, 1), (6.0, 2), (0.0, 3)) == [(0.0, 3)]


def test_points_have_any_number_of_figures():
    made = Trail()
    made.add(0.0, 1.0, 2.0, 3.0)
    assert made.points() == [(0.0, 1.0, 2.0, 3.0)]
