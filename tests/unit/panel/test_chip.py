"""The x-ray's chart: its title is a finding, its names don't cover each other, both themes draw."""

import re

import pytest

from constraintlab.panel.charts import chip
from constraintlab.panel.picture import Picture


def row(keys, arch="sm_90", spilled=0, fits=True, limit=227):
    return {"arch": arch, "keys": keys, "kib": keys / 6, "limit_kib": limit,
            "spilled": spilled, "fits": fits}  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([row(512), row(1024)], "Rows of 1024 keys still fit on every chip"),
        ([row(512), row(1024, fits=False)], "Up to 512 keys fit on chip; at 1024 shared memory"),
        ([row(512), row(1024, spilled=8)], "at 1024 registers spill"),
        ([row(512), row(512, "sm_80", spilled=8)], "No row fits on chip; at 512 registers spill"),
        (
            [row(512), row(1024, spilled=8, fits=False)],
            "at 1024 shared memory runs out and registers spill",
        ),
    ],
)
def test_the_title_says_what_ends_it(rows, says):
    assert says in chip.title(rows)


def test_near_lines_share_a_name():
    rows = [row(8, "a", 100), row(8, "b", 104), row(8, "c", 900)]
    assert [m["names"] for m in chip.labels(rows, "spilled", 10)] == ["a, b", "c"]
    assert [m["names"] for m in chip.labels(rows, "limit_kib", 1)] == ["a, b, c"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_draws_in_both_themes_and_reads_as_text(theme):
    rows = [row(n, a) for n in (512, 1024) for a in ("sm_80", "sm_90")]
    picture = Picture(lambda t: chip.spec(rows, t), chip.text(rows))
    assert picture.png(theme)[:8] == b"\x89PNG\r\n\x1a\n"
    bundle, _ = picture._repr_mimebundle_()
    assert bundle["text/plain"].startswith(chip.title(rows)) and "sm_80, which has" in picture.text
    light, dark = re.findall(r'<img class="cl-(?:light|dark)-only"[^>]*>', bundle["text/html"])
    assert "display:none" in dark and "display:none" not in light, "without a style sheet: one"
    assert bundle["image/png"]
