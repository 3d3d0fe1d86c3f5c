"""Lab 03's measurements: what is held equal, what must shrink, what the sliders keep."""

import pytest
import torch

from constraintlab.attention import flash, naive
from constraintlab.attention.rung import Shape
from constraintlab.course import gaps, ladder, prefill
from constraintlab.course.layer import Layer, few_kernels, many_kernels
from constraintlab.course.tiles import TileSlider
from constraintlab.limits.resource import Resource as R
from constraintlab.limits.sizes import size
from constraintlab.limits.whatif import whatif


def nothing():
    """A CPU has finished when a call returns."""


def test_models_of_other_widths_have_the_same_bytes():
    thin, wide = (gaps.Model.of(w, 16 * 2**20) for w in (64, 256))
    assert thin.nbytes == pytest.approx(wide.nbytes, rel=0.1)
    assert len(thin.layers) > 10 * len(wide.layers)


def test_fewer_kernels_decode_the_same_token():
    model = gaps.Model.of(128, 2**20)
    assert torch.allclose(model.stepper(few_kernels)(), model.stepper(many_kernels)(), atol=1e-4)
    assert torch.equal(model.stepper()(), model.stepper()())  # a step leaves the cache as it was


def test_a_split_adds_up_and_counts_every_layer():
    models = [gaps.Model.of(w, 2**20) for w in (128, 256)]
    found, each = gaps.race_splits(models, nothing, rounds=3)
    for split in found:
        assert split.between == pytest.approx(each * len(split.model.layers))
        assert 0 < split.share <= 1
    assert "layers × width" in str(gaps.splits_table(found, each))


def test_a_share_is_never_above_one():
    model = gaps.Model.of(128, 0)
    assert gaps.Split(model, 1.0, 2.0).share == 1.0
    assert prefill.Prefill("naive", 1.0, 1.5).share == 1.0


def test_fewer_kernels_are_predicted_from_what_they_save_when_there_is_nothing_to_do():
    split = gaps.Split(gaps.Model.of(128, 2**20), 1.0, 0.8)
    assert split.verdict.constraint == (R.HOST,)
    out = whatif(split.verdict, gaps.fewer_kernels(size(0.75, 0.7, 0.8), "thin"))
    assert out.gain.value == pytest.approx(1 / (1 - 0.8 / 4)) and out.gain.low < out.gain.high
    assert out.fix.name == "fewer kernels, thin"
    left = gaps.race_tiny("cpu", nothing, rounds=3)
    measured = gaps.race_fewer_kernels(split.model, nothing, rounds=3)
    assert left.value > 0 and measured.low <= measured.value <= measured.high


def test_a_step_that_is_all_between_kernels_reads_in_no_time():
    whole = gaps.two_parts(1e6, 1.0, 2.0)
    assert whole.predicted == pytest.approx(1.0) and whole.constraint == (R.HOST,)


def test_prefill_times_the_layer_with_each_rung_and_the_rung_alone():
    rungs = {"textbook": naive.attend, "flash": flash.attend}
    found, seen = prefill.race_prefill(Layer.random(64), 32, rungs, nothing, rounds=3)
    assert [p.rung for p in found] == list(rungs) and "flash, fewer kernels" in seen.seconds
    assert all(0 < p.share <= 1 for p in found)


def test_lengths_say_how_many_queries_fit():
    found = ladder.race_lengths(Shape.square(64, heads=1), (64, 128), nothing)
    assert [x.tokens for x in found] == [64, 128]
    assert min(x.fused + x.own + x.flash for x in found) > 0
    assert "queries on chip" in str(ladder.lengths_table(found, "sdpa"))


def test_a_tile_that_crosses_the_diagonal_computes_scores_in_vain():
    fine, coarse = ladder.try_tiles(Shape.square(256, heads=1, dim=8), [(16, 64), (256, 64)])
    assert 0.05 < fine.vain < 0.07 and coarse.vain == pytest.approx(1.0, abs=0.01)
    assert fine.nbytes == 16 * 64 * 4


def test_the_slider_measures_a_new_tile_once_and_marks_the_last_one():
    shape = Shape.square(64, heads=1, dim=8)
    slider = TileSlider(shape, ladder.try_tiles(shape, [(16, 16)]))
    first = slider.measure(32, 16)
    assert slider.measure(32, 16) is first and len(slider.tried) == 2
    assert slider.html().count("◀") == 1 and "32 × 16 ◀" in slider.html()


def test_moving_a_slider_adds_a_row():
    shape = Shape.square(64, heads=1, dim=8)
    slider = TileSlider(shape, [])
    row, shown = slider.widget().children
    row.children[0].value = 32
    assert "32 × 256" in shown.value


def test_half_the_bytes_is_predicted_from_what_does_not_lie_between_kernels():
    model = gaps.Model.of(128, 2**20)
    for between, gain in ((0.8, 1 / 0.9), (0.0, 2.0)):
        split = gaps.Split(model, 1.0, between)
        out = whatif(split.verdict, gaps.half_bytes("thin"))
        assert out.gain.value == pytest.approx(gain)
    assert gaps.race_half_bytes(model, nothing, rounds=3).value > 0
    assert model.to(torch.bfloat16).nbytes == model.nbytes // 2


def test_what_whole_rows_cost_follows_what_was_measured():
    def of(tokens, rows):
        return ladder.Length(tokens, rows, 2.0, 2.0, 2.0)

    grown, short = [of(1024, 128), of(16384, 32)], [of(1024, 128), of(4096, 128)]
    assert "has to read all keys again for each block of so few" in ladder.held(grown, True)
    assert "32 queries at S = 16384 instead of 128" in ladder.held(grown, False)
    assert "still holds 128 queries at S = 4096" in ladder.held(short, False)
    assert "read all keys again" not in ladder.held(short, True)


def test_decode_is_told_once_where_both_models_wait_for_the_same():
    model = gaps.Model.of(gaps.TINY, 0)
    thin, wide = (gaps.Split(model, 1.0, between) for between in (0.9, 0.1))
    assert gaps.in_decode(thin, wide) == (
        "In decode, host binds while layers are thin, and bandwidth binds where they are wide."
    )
    assert gaps.in_decode(wide, wide) == (
        "In decode, bandwidth binds, whether layers are thin or wide."
    )
