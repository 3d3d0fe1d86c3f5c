"""The verdict in words: what binds, how sure that is, and never a number that is none."""

import math
import re

from hypothesis import example, given
from hypothesis import strategies as st

from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource as R
from constraintlab.panel.sentence import Piece, measured, now, sentence, text
from tests.unit.panel.cases import measured as seen
from tests.unit.panel.cases import shares_of, verdict, worth_of


def said(v) -> str:
    return text(sentence(v))


def demand(room=1.0, **changes):
    parts = {"outcome": "demand", "constraint": (R.DEMAND,), "next": (R.DEMAND, R.SLOTS)}
    return verdict(**parts | {"worth": worth_of(demand=room)} | changes)


def test_one_constraint_is_named_with_its_share_the_rates_and_what_a_fix_gives():
    assert said(verdict()) == (
        "◆ bandwidth binds (share 0.71): 203 k queries/s, model 212 k. "
        "Without this limit up to ×2.2, then ▼ fresh pages bind."
    )


def test_a_plural_name_has_a_plural_verb():
    v = verdict(constraint=(R.PAGES,), next=(R.HOST,))
    assert said(v).startswith("▼ fresh pages bind (share 0.16): ")
    assert said(v).endswith("up to ×1.2, then ▲ host binds.")


def test_two_that_are_near_tied_are_both_named_with_their_shares():
    v = verdict(
        constraint=(R.COMPUTE, R.HOST), shares=shares_of(compute=0.52, host=0.45, pages=0.03)
    )
    assert said(v).startswith("● compute and ▲ host bind (shares 0.52 and 0.45): 203 k queries/s")


def test_one_that_stands_right_behind_is_not_said_to_bind():
    v = verdict(constraint=(R.COMPUTE, R.HOST), shares=shares_of(compute=0.9, host=0.1))
    assert said(v).startswith("● compute binds (share 0.90), ▲ host right behind: 203 k")


def test_a_fix_that_gives_little_is_no_promise():
    v = verdict(worth=worth_of(bandwidth=1.04))
    assert " Without this limit only ×1.04, then ▼ fresh pages bind." in said(v)
    assert said(verdict(next=())).endswith(" Without this limit up to ×2.2.")


def test_without_any_other_limit_no_factor_is_given():
    v = verdict(worth=worth_of(bandwidth=math.inf))
    assert said(v).endswith("model 212 k. Without this limit the model sees no other.")


def test_a_worth_that_is_not_known_is_left_out():
    for worth in ({}, {R.BANDWIDTH: math.nan}):
        assert said(verdict(worth=worth)).endswith("model 212 k.")


def test_demand_says_that_nothing_binds_and_how_much_room_there_is():
    base = "– offered load: 203 k queries/s, model 212 k. "
    base += "Nothing in the stack binds; all that arrives is served."
    assert said(demand(room=3.1)) == f"{base} There is room for ×3.1, then ⬟ slots bind."
    assert said(demand(room=1.004)) == base
    assert said(demand(room=math.inf)) == base
    assert said(demand(room=3.1, next=(R.DEMAND,))) == base


def test_missing_evidence_is_listed_and_nothing_is_named():
    v = verdict(outcome="insufficient evidence", constraint=(), missing=("no load given.", "KV"))
    assert said(v) == "Insufficient evidence: no verdict. Missing: no load given; KV."
    none = verdict(outcome="insufficient evidence", constraint=(), missing=())
    assert said(none).endswith("Missing: everything.")


def test_without_a_constraint_none_is_made_up():
    assert said(verdict(constraint=())) == "No constraint named at 203 k queries/s."
    assert said(None) == "Nothing has run yet: no verdict."


def test_a_measurement_far_below_the_model_is_said_before_any_name():
    assert said(verdict(predicted=200e3, measured=seen(50e3))) == (
        "The model explains only 25% of the time: measured 50.0 k queries/s, model 200 k "
        "queries/s. It would name ◆ bandwidth, but something that it does not count costs the rest."
    )


def test_a_measurement_above_the_model_blames_the_model():
    assert said(verdict(predicted=100e3, measured=seen(150e3))) == (
        "The model does not explain this: measured 150 k queries/s, more than the 100 k queries/s "
        "that it thinks possible. It would name ◆ bandwidth, but a demand is counted too high or a "
        "ceiling was probed too low."
    )


def test_25_percent_apart_is_still_agreement_for_demand_too():
    assert said(verdict(predicted=125e3, measured=seen(100e3))).startswith("◆ bandwidth binds")
    assert said(demand(predicted=125e3, measured=seen(100e3))).startswith("– offered load: 100 k")
    assert said(demand(predicted=126e3, measured=seen(100e3))).startswith("The model explains only")


def test_what_was_not_measured_is_called_modelled():
    for none in (None, Estimate.absent("tok/s", "nothing ran")):
        v = verdict(measured=none)
        assert (measured(v), now(v)) == (None, 212e3)
        assert "): 212 k queries/s, modelled, not measured. Without" in said(v)


def test_a_measurement_without_a_prediction_stands_alone():
    for none in (None, math.nan, math.inf):
        assert "): 203 k queries/s. Without" in said(verdict(predicted=none))


def test_a_share_that_is_no_number_is_left_out():
    for shares in ({}, shares_of(bandwidth=math.nan), shares_of(bandwidth=math.inf)):
        assert said(verdict(shares=shares)).startswith("◆ bandwidth binds: 203 k queries/s")


def test_an_infinite_share_of_the_second_constraint_is_not_shown():
    v = verdict(constraint=(R.COMPUTE, R.HOST), shares=shares_of(compute=0.6, host=math.inf))
    assert "inf" not in said(v)


def test_a_run_that_stands_still_is_no_verdict():
    stalled = verdict(measured=seen(0.0))
    assert said(stalled).startswith("Nothing gets through, where the model says 212 k queries/s.")
    assert not stalled.sure and "would name ◆ bandwidth" in said(stalled)


def test_names_carry_their_resource_and_letters_do_not():
    pieces = sentence(verdict())
    assert [p.resource for p in pieces if p.resource] == [R.BANDWIDTH, R.PAGES]
    assert pieces[0].as_dict() == {"t": "◆ bandwidth", "r": "bandwidth", "b": True}
    assert Piece(": ").as_dict() == {"t": ": ", "r": None, "b": False}


numbers = st.floats() | st.sampled_from([0.0, 1.0, math.nan, math.inf, -math.inf])
estimates = st.none() | st.builds(
    lambda value: Estimate(value, -math.inf, math.inf, "tok/s"), st.floats(allow_nan=False)
)


@given(
    outcome=st.sampled_from(["bound", "demand"]),
    constraint=st.sampled_from([(), (R.COMPUTE,), (R.DEMAND,), (R.COMPUTE, R.PAGES)]),
    shares=st.dictionaries(st.sampled_from(R), numbers),
    worth=st.dictionaries(st.sampled_from(R), numbers),
    predicted=st.none() | numbers,
    found=estimates,
)
@example("bound", (R.COMPUTE,), {R.COMPUTE: math.nan}, {R.COMPUTE: math.nan}, math.nan, None)
@example("bound", (R.COMPUTE, R.PAGES), {R.COMPUTE: 0.6, R.PAGES: math.nan}, {}, 1.0, None)
def test_no_number_ever_reads_nan_or_inf(outcome, constraint, shares, worth, predicted, found):
    v = verdict(
        outcome=outcome, constraint=constraint, shares=shares, worth=worth,
        predicted=predicted, measured=found,
    )  # fmt: skip
    assert not re.search(r"\b(nan|inf|None)\b", said(v), re.IGNORECASE), said(v)
