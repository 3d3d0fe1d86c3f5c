"""Verdicts and samples with plain, made-up numbers, for the panel's tests."""

from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource as R
from constraintlab.limits.verdict import Verdict
from constraintlab.panel import Panel, RooflinePoint, Series, StripCell
from constraintlab.telemetry.sample import Sample

UNIT = "tok/s"

SERIES = (
    Series("work.flops_per_s", "compute, fp32", R.COMPUTE, 1.2e11),
    Series("work.bytes_per_s", "bandwidth", R.BANDWIDTH, 2e10),
    Series("work.fresh_bytes_per_s", "fresh pages", R.PAGES, 2.6e9),
    Series("proc.cpu_cores", "cores busy", None, 2.0),
)


def measured(value, spread=0.05):
    return Estimate(value, value * (1 - spread), value * (1 + spread), UNIT, "measured")


def verdict(**changes) -> Verdict:
    """Bandwidth binds; fresh pages stand next."""
    shares = {r: 0.0 for r in R} | {R.BANDWIDTH: 0.71, R.PAGES: 0.16, R.COMPUTE: 0.11, R.HOST: 0.02}
    worth = {r: 1.0 for r in R} | {R.BANDWIDTH: 2.2, R.PAGES: 1.24, R.COMPUTE: 1.13, R.HOST: 1.02}
    parts = {
        "outcome": "bound", "constraint": (R.BANDWIDTH,), "next": (R.PAGES,), "shares": shares,
        "worth": worth, "predicted": 212e3, "measured": measured(203e3), "unit": "queries/s",
        "evidence": ("71% of a token's cost is bandwidth",),
        "sources": {"compute.float32": "measured", "bandwidth": "measured", "demands": "counted"},
    }  # fmt: skip
    return Verdict(**(parts | changes))


def shares_of(**given) -> dict:
    """Shares by resource, 0 for the others."""
    return {r: 0.0 for r in R} | {R(k): v for k, v in given.items()}


def worth_of(**given) -> dict:
    """Worth by resource, 1 for the others."""
    return {r: 1.0 for r in R} | {R(k): v for k, v in given.items()}


def sample(t, flops=1.3e10, moved=1.6e10, fresh=5e8, cores=1.97, source="counted") -> Sample:
    values = {"work.flops_per_s": flops, "work.bytes_per_s": moved, "work.fresh_bytes_per_s": fresh,
              "proc.cpu_cores": cores}  # fmt: skip
    sources = dict.fromkeys(values, source) | {"proc.cpu_cores": "measured"}
    return Sample(t, values, sources)


def filled(v: Verdict | None = None, **options) -> Panel:
    """A panel with everything set and 20 s of samples."""
    panel = Panel(lab="01", chips=("modelled · made-up numbers", "fp32"), **options)
    panel.set_timeline(SERIES)
    panel.set_roofline(
        [("fp32", 1.2e11), ("bf16", 4.0e11)],
        2e10,
        [RooflinePoint("three passes", 0.1, 1.5e9, True), RooflinePoint("textbook", 7, 1.3e10)],
    )
    panel.set_strip([StripCell("00", None, "limits known"), StripCell("01", R.PAGES, "×3.1")])
    panel.set_verdict(v or verdict())
    for i in range(200):
        wave = 1 + 0.1 * ((i * 7) % 11) / 11
        ramp = min(1, i / 60)
        panel.push(sample(i / 10, 1.3e10 * wave * ramp, 1.4e10 * ramp * wave, 4e8 * wave))
    return panel
