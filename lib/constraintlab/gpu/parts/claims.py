"""The article's claims on this GPU, from what the parts before measured."""

from __future__ import annotations

from constraintlab.bench.report import Report
from constraintlab.gpu.here import Here, Say

WHAT = "the article's claims, from what was measured so far"
LEAST, MOST = 5.0, 30.0


def run(here: Here, say: Say) -> Report:
    """Nothing new is measured: a line for each claim, and why one has no figure."""
    from constraintlab.gpu.claims import CLAIMS

    report, rows = Report("gpu claims", {}), {r["metric"]: r for r in here.results}
    for claim in CLAIMS:
        found = claim.gpu(rows)
        say(f"{claim.name} {claim.says}: {found.measured}; {found.verdict}")
        if found.verdict == "—":
            report.skip(claim.name, found.measured)
    return report
