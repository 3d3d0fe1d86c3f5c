"""A learner under way, for the passport's tests: three labs, one of them begun, a test taken."""

from constraintlab.course.forecast import PART, Forecast
from constraintlab.course.hints import hint
from constraintlab.course.lab import Lab
from constraintlab.course.transfer import Transfer
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.limits.verdict import Verdict


def estimate(x, low, high, unit="×"):
    return Estimate(x, low, high, unit, "measured")


def ran(x, *constraint):
    return Verdict("bound", constraint, (), {}, {}, x, estimate(x, 0.97 * x, 1.03 * x, "tok/s"))


def forecast(fix, predicted, measured, then, bound):
    return Forecast(fix, estimate(*predicted), (then,), estimate(*measured), (bound,)).as_dict()


def learn(progress):
    """Fill it as the labs do."""
    lab = Lab("00", progress)
    asked = lab.predict("busy", "What share of the peak does it reach?", ["half", "under 10%"])
    asked.choose("half")
    asked.rate("sure")
    lab.reveal("busy", "under 10%", "It waits for memory.")
    lab.check("binding_side", lambda f, b, fr, br: "compute" if f / fr >= b / br else "bandwidth")
    lab.measured("three passes", ran(1.21e8, Resource.BANDWIDTH))
    lab.finish("limits known")

    lab = Lab("01", progress)
    asked = lab.predict("binds", "What binds <naive> attention?", ["compute", "fresh pages"])
    asked.choose("fresh pages")
    asked.rate("think so")
    lab.reveal("binds", "fresh pages", "Each S×S matrix is new.")
    lab.predict("fix", "Which is worth 10%?", ["both", "neither"])
    lab.reveal("fix", "neither", "because")
    lab.predict("later", "And then?", ["a", "b"]).choose("a")
    hint(progress, "01", "score_peak")
    lab.check("score_peak", None)
    lab.measured("textbook", ran(4_100, Resource.PAGES))
    lab.measured("workspace", ran(12_300, Resource.COMPUTE, Resource.BANDWIDTH))
    made = forecast("workspace", (2.9, 2.6, 3.3), (3.1, 2.8, 3.2), Resource.COMPUTE,
                    Resource.COMPUTE)  # fmt: skip
    progress.put("01", PART, "workspace", made)
    made = forecast("no autograd", (1.0, 0.99, 1.02), (1.2, 1.18, 1.22), Resource.PAGES,
                    Resource.PAGES)  # fmt: skip
    progress.put("01", PART, "no autograd", made)
    lab.finish("×3.1", Resource.COMPUTE)
    progress.change("01", "strip", "cell", lambda c: {**c, "machine": "AMD EPYC, 2 cores, AVX2"})

    Lab("03", progress).measured("flash", ran(9_000, Resource.COMPUTE))
    take(Transfer("before", progress), right=3)


def take(test, right):
    """Answer and hand in: so many of the constraints rightly, nothing else."""
    for i, card in enumerate(test.cards):
        wrong = next(r for r in Resource if r not in (card.constraint, card.next, Resource.PAGES))
        test.answer(i, "constraint", card.constraint if i < right else wrong)
        test.answer(i, "next", wrong)
    test.hand_in()
