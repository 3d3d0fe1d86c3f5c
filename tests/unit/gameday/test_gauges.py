"""The desk's gauges: numbers of a server's own metrics, and nothing where there is none."""

import re

import pytest

from constraintlab.gameday import gauges
from constraintlab.telemetry.sample import Sample


def samples(n=20, every=0.5, **values):
    """n samples; a value may be a function of the sample's number."""
    found = []
    for i in range(n):
        now = {f"server.{k}": (v(i) if callable(v) else v) for k, v in values.items()}
        found.append(Sample(i * every, now, dict.fromkeys(now, "measured")))
    return found


def table(html):
    """Label → [what is told, the bars]."""
    head, *rows = re.findall(r"<tr>(.*?)</tr>", html)
    assert head.count('<th scope="col"') == 3
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
    return {label: rest for label, *rest in cells}


def test_before_anybody_looked():
    assert "nobody has looked" in gauges.html([], 8.0)


def test_every_row_is_there_and_what_is_missing_is_no_zero():
    found = table(gauges.html(samples(running=3.0), 8.0))
    assert list(found) == [label for label, *_ in gauges.ROWS]
    assert found["requests that run"][0] == "3"
    assert found["requests that wait"] == ["n/a", "·" * 20], "a dot a look, and no bar"


def test_the_newest_is_told_of_a_level_and_the_mean_of_a_rate():
    found = table(gauges.html(samples(running=float, tokens_per_s=lambda i: 100.0 * i), 4.0))
    assert found["requests that run"][0] == "19"
    # The last four seconds: samples 12 to 19.
    assert found["output tokens"][0] in ("1,550/s", "1,550 /s", "1550/s", "1.55 k/s")


def test_a_share_is_told_in_percent():
    assert table(gauges.html(samples(kv_used_share=0.42), 8.0))["KV pool taken"][0] == "42%"


def test_parts_of_one_row_are_added():
    both = samples(streams_paused=2.0, streams_coalescing=3.0)
    assert table(gauges.html(both, 8.0))["readers that are slow"][0] == "5"
    half = samples(streams_coalescing=3.0)
    assert table(gauges.html(half, 8.0))["readers that are slow"][0] == "3"


def test_bars_grow_with_what_they_show():
    rises = table(gauges.html(samples(waiting=float), 8.0))["requests that wait"][1]
    assert rises == "".join(sorted(rises)) and len(set(rises)) > 3
    full = table(gauges.html(samples(kv_used_share=1.0), 8.0))["KV pool taken"][1]
    tenth = table(gauges.html(samples(kv_used_share=0.1), 8.0))["KV pool taken"][1]
    assert full and full != tenth, "shares are drawn against the whole, not against themselves"


@pytest.mark.parametrize("label", ["between tokens, p99", "tokens of a step, p99"])
def test_a_percentile_without_a_histogram_is_not_there(label):
    told, drawn = table(gauges.html(samples(itl_s=0.01), 8.0))[label]
    assert (told, drawn) == ("n/a", "")
