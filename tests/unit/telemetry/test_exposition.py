"""Prometheus' text: labels summed, counters that were reset, and what is not there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from constraintlab.telemetry.exposition import Scrape, growth, observed, quantile
from constraintlab.telemetry.server_metrics import RULES, read
from constraintlab.telemetry.source import FIRST


def counter(name, *series):
    """series: (labels, value)"""
    return f"# TYPE {name} counter\n" + "".join(f"{name}{{{lab}}} {v}\n" for lab, v in series)


def histogram(name, total, count, labels='model_name="m"'):
    lines = "".join(f'{name}_bucket{{{labels},le="{le}"}} {count}\n' for le in ("0.1", "+Inf"))
    ends = f"{name}_sum{{{labels}}} {total}\n{name}_count{{{labels}}} {count}\n"
    return f"# TYPE {name} histogram\n{lines}{ends}"


def between(before, after, seconds=2.0):
    return read(Scrape.of(before, 10.0), Scrape.of(after, 10.0 + seconds))


TOKENS = "vllm:generation_tokens_total"
ITL = "vllm:inter_token_latency_seconds"


def test_a_counter_becomes_a_rate_its_labels_summed():
    before = counter(TOKENS, ('engine="0"', 100), ('engine="1"', 50))
    after = counter(TOKENS, ('engine="0"', 160), ('engine="1"', 70))
    assert between(before, after)["server.tokens_per_s"].value == pytest.approx(80 / 2)


def test_the_first_scrape_starts_the_interval():
    now = Scrape.of(counter(TOKENS, ("", 100)) + histogram(ITL, 1.0, 10), 1.0)
    found = read(None, now)
    assert found["server.tokens_per_s"].source == found["server.itl_s"].source == f"n/a: {FIRST}"


def test_a_counter_that_fell_back_began_at_zero():
    before = counter(TOKENS, ('engine="0"', 1000), ('engine="1"', 50))
    after = counter(TOKENS, ('engine="0"', 30), ('engine="1"', 70))
    assert between(before, after)["server.tokens_per_s"].value == pytest.approx((30 + 20) / 2)


def test_a_counter_made_anew_that_is_higher_already_is_seen_by_its_birth():
    born = "# TYPE vllm:generation_tokens_created gauge\nvllm:generation_tokens_created {}\n"
    before = counter(TOKENS, ("", 100)) + born.format(5.0)
    after = counter(TOKENS, ("", 130)) + born.format(11.0)
    assert between(before, after)["server.tokens_per_s"].value == pytest.approx(130 / 2)


def test_a_histogram_becomes_the_mean_of_the_interval_not_of_all_time():
    # 100 gaps of 10 ms, then 20 of 35 ms
    found = between(histogram(ITL, 1.0, 100), histogram(ITL, 1.7, 120))
    assert found["server.itl_s"].value == pytest.approx(0.035)


def test_a_histogram_s_labels_are_summed_before_the_mean_is_taken():
    one, two = 'engine="0"', 'engine="1"'
    before = histogram(ITL, 0, 0, one) + histogram(ITL, 0, 0, two)
    after = histogram(ITL, 0.9, 90, one) + histogram(ITL, 0.5, 10, two)
    assert between(before, after)["server.itl_s"].value == pytest.approx(0.014)


def test_a_reset_histogram_s_sum_and_count_both_begin_at_zero():
    # the count has passed the old one already, the sum has not
    found = between(histogram(ITL, 5.0, 10), histogram(ITL, 0.6, 30))
    assert found["server.itl_s"].value == pytest.approx(0.02)


def test_a_histogram_that_saw_nothing_is_absent_and_not_zero():
    reading = between(histogram(ITL, 1.0, 100), histogram(ITL, 1.0, 100))["server.itl_s"]
    assert reading.value is None and f"{ITL} observed nothing" in reading.source


def test_what_the_server_does_not_report_is_absent_by_name_and_never_zero():
    found = between("", "")
    assert found.keys() == RULES.keys() and {r.value for r in found.values()} == {None}
    assert found["server.tokens_per_s"].source == f"n/a: the server does not report {TOKENS}"
    stage = 'constraintlab:host_seconds_total{stage="write"}'
    assert found["server.host_write_cores"].source == f"n/a: the server does not report {stage}"


def test_a_metric_without_a_series_has_no_value_yet_and_its_first_one_counts_from_zero():
    name = "vllm:request_success_total"
    before, after = f"# TYPE {name} counter\n", counter(name, ('finished_reason="stop"', 6))
    found = read(None, Scrape.of(before, 0.0))["server.requests_per_s"]
    assert found.value is None and found.source == f"n/a: {name} has no value yet"
    assert between(before, after)["server.requests_per_s"].value == 3


def test_a_metric_that_appears_starts_its_interval():
    assert between("", counter(TOKENS, ("", 9)))["server.tokens_per_s"].source == f"n/a: {FIRST}"


def test_one_stage_of_host_time_is_told_from_the_others():
    name = "constraintlab:host_seconds_total"
    before = counter(name, ('stage="write"', 1.0), ('stage="frame"', 3.0))
    after = counter(name, ('stage="write"', 1.5), ('stage="frame"', 3.1))
    found = between(before, after)
    assert found["server.host_write_cores"].value == pytest.approx(0.25)
    assert found["server.host_draw_cores"].value is None


def test_bytes_and_writes_a_token_are_of_the_interval():
    def text(tokens, sent, writes):
        amounts = {"tokens": tokens, "bytes": sent, "writes": writes, "events": writes}
        return "".join(counter(f"constraintlab:stream_{k}_total", ("", v))
                       for k, v in amounts.items())  # fmt: skip

    found = between(text(100, 30_000, 100), text(180, 33_200, 110))
    assert found["server.bytes_per_token"].value == pytest.approx(40)
    assert found["server.writes_per_token"].value == pytest.approx(1 / 8)
    assert found["server.tokens_per_event"].value == pytest.approx(8)
    idle = between(text(100, 30_000, 100), text(100, 30_000, 100))["server.bytes_per_token"]
    assert idle.value is None and "no token was sent" in idle.source


def gauges(**values):
    return "".join(f'# TYPE vllm:{k} gauge\nvllm:{k}{{model_name="m"}} {v}\n'
                   for k, v in values.items())  # fmt: skip


def test_a_kv_gauge_that_reads_zero_while_requests_run_is_no_evidence():
    found = read(None, Scrape.of(gauges(kv_cache_usage_perc=0, num_requests_running=3), 0.0))
    assert found["server.kv_used_share"].source == (
        "n/a: vllm:kv_cache_usage_perc reads 0 while 3 requests run: no evidence"
    )
    idle = read(None, Scrape.of(gauges(kv_cache_usage_perc=0, num_requests_running=0), 0.0))
    assert idle["server.kv_used_share"].value == 0


def test_the_older_name_is_read_where_the_newer_is_missing():
    old = gauges(gpu_cache_usage_perc=0.4) + histogram("vllm:time_per_output_token_seconds", 1, 1)
    assert read(None, Scrape.of(old, 0.0))["server.kv_used_share"].value == pytest.approx(0.4)
    both = old + gauges(kv_cache_usage_perc=0.7)
    assert read(None, Scrape.of(both, 0.0))["server.kv_used_share"].value == pytest.approx(0.7)
    theirs = '# TYPE sglang:num_queue_reqs gauge\nsglang:num_queue_reqs{tp_rank="0"} 4\n'
    assert read(None, Scrape.of(theirs, 0.0))["server.waiting"].value == 4


def test_over_several_engines_counts_add_up_and_shares_are_averaged():
    text = (
        '# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{engine="0"} 3\n'
        'vllm:num_requests_running{engine="1"} 5\n'
        '# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc{engine="0"} 0.9\n'
        'vllm:kv_cache_usage_perc{engine="1"} 0.5\n'
    )
    found = read(None, Scrape.of(text, 0.0))
    assert found["server.running"].value == 8
    assert found["server.kv_used_share"].value == pytest.approx(0.7)


def test_a_value_that_is_no_number_is_absent():
    found = read(None, Scrape.of(gauges(num_requests_waiting="NaN"), 0.0))["server.waiting"]
    assert found.value is None and "finite" in found.source


def test_what_prometheus_client_writes_is_read():
    registry = CollectorRegistry()
    tokens = Counter("vllm:generation_tokens", "Tokens.", ["model_name"], registry=registry)
    itl = Histogram(ITL, "Gaps.", ["model_name"], registry=registry)
    Gauge("vllm:num_requests_running", "Running.", registry=registry).set(2)
    tokens.labels("m").inc(5)
    itl.labels("m").observe(0.01)
    before = generate_latest(registry).decode()
    tokens.labels("m").inc(10)
    itl.labels("m").observe(0.03)
    found = between(before, generate_latest(registry).decode())
    assert found["server.tokens_per_s"].value == pytest.approx(5)
    assert found["server.itl_s"].value == pytest.approx(0.03)
    assert found["server.running"].value == 2


def test_ranks_that_tell_the_same_count_once_and_a_sum_counts_without_its_parts():
    name = "sglang:num_running_reqs"

    def told(series):
        text = "".join(f"{name}{{{labels}}} {n}\n" for labels, n in series)
        return Scrape.of(f"# TYPE {name} gauge\n{text}", 0.0).values(name)

    ranks = [f'dp_rank="{d}",tp_rank="{t}"' for d, t in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 5))]
    found = told([(labels, 4) for labels in ranks])
    assert found == [4, 4, 4], "rank 5 of dp_rank 2 has nobody to repeat"
    classes = (('priority=""', 14), ('priority="0"', 9), ('priority="-1"', 5))
    assert told(classes) == [14] and told(classes[1:]) == [9, 5]


def buckets(*counts, labels='engine="0"'):
    """Cumulative, below 0.1, 0.5, 1 and all."""
    lines = [f"# TYPE {ITL} histogram"]
    for bound, n in zip(("0.1", "0.5", "1.0", "+Inf"), counts, strict=True):
        lines.append(f'{ITL}_bucket{{le="{bound}",{labels}}} {n}')
    return "\n".join([*lines, f"{ITL}_sum{{{labels}}} 1", f"{ITL}_count{{{labels}}} {n}"]) + "\n"


def test_what_a_histogram_observed_is_by_bucket_over_all_engines_and_across_a_reset():
    inf = float("inf")
    one, two = Scrape.of(buckets(1, 2, 3, 4), 0.0), Scrape.of(buckets(2, 5, 6, 8), 1.0)
    assert observed(one, two, ITL) == {0.1: 1, 0.5: 2, 1.0: 0, inf: 1}
    assert observed(two, one, ITL) == {0.1: 1, 0.5: 1, 1.0: 1, inf: 1}, "it began anew"
    more = buckets(2, 5, 6, 8) + buckets(0, 7, 7, 7, labels='engine="1"').split("\n", 1)[1]
    assert observed(one, Scrape.of(more, 1.0), ITL)[0.5] == 2 + 7
    assert observed(one, two, "vllm:other") is None
    assert observed(Scrape.of("", 0.0), two, ITL) is None, "unknown before is no zero"


def test_a_quantile_lies_in_a_bucket():
    found = {0.1: 90.0, 0.5: 9.0, 1.0: 0.0, float("inf"): 1.0}
    assert quantile(found, 0.5) == (0.0, 0.1)
    assert quantile(found, 0.95) == quantile(found, 0.99) == (0.1, 0.5)
    assert quantile(found, 0.995) == (1.0, float("inf"))
    assert quantile({0.1: 0.0}, 0.5) is None


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=20))
def test_growth_adds_up_to_all_that_was_counted_across_any_restarts(steps):
    """Restarts that a scrape can see: the counter is lower than before."""
    value, counted, seen = 1000.0, 0.0, 0.0
    before = Scrape.of(counter(TOKENS, ("", value)), 0.0)
    for amount, restarts in steps:
        value = float(amount) if restarts and amount < value else value + amount
        counted += amount
        now = Scrape.of(counter(TOKENS, ("", value)), 1.0)
        seen += growth(before, now, (TOKENS,))[0]
        before = now
    assert seen == pytest.approx(counted)


@pytest.mark.parametrize("text", ["<html><body>sorry</body></html>", '{"error": 1}', "a b c\n"])
def test_what_is_no_exposition_is_refused(text):
    with pytest.raises(ValueError):
        Scrape.of(text, 0.0)


def test_who_asked_wrongly_was_not_turned_away_by_a_full_queue():
    def page(queue, invalid):
        return "".join(
            f'constraintlab:requests_rejected_total{{reason="{reason}"}} {n}\n'
            for reason, n in (("queue", queue), ("invalid", invalid))
        )

    found = read(Scrape.of(page(1, 0), 10.0), Scrape.of(page(3, 40), 12.0))
    assert found["server.rejected_per_s"].value == 1.0
