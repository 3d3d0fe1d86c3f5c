"""The source that asks a server: in its own thread, with a timeout, and plain words for failure."""

import socket
import threading
import time
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError, URLError

import pytest

from constraintlab.telemetry.metrics_source import AGE, NAMES, TOOK, MetricsSource, fetch
from tests.unit.telemetry.fakes import Clock

RUNNING = "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 3\n"
TOKENS = "# TYPE vllm:generation_tokens_total counter\nvllm:generation_tokens_total {}\n"
URL = "http://127.0.0.1:9"


def source(answers, clock=None, took=0.0):
    """A source whose server gives (or raises) these answers, each after so many seconds."""
    clock = clock or Clock()
    left = iter(answers)

    def answer(url, timeout):
        clock.now += took
        found = next(left)
        if isinstance(found, Exception):
            raise found
        return found

    return MetricsSource(URL, fetch=answer, clock=clock), clock


def test_a_failed_scrape_makes_every_value_absent_and_says_why():
    made, _ = source([URLError(ConnectionRefusedError(111, "Connection refused"))])
    scrape, found = made.scrape(None)
    assert scrape is None and found.keys() == set(NAMES)
    (why,) = {r.source for r in found.values()}
    assert why == (
        "n/a: http://127.0.0.1:9/metrics does not answer: [Errno 111] Connection refused"
    )


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (TimeoutError(), "does not answer within 2 s"),
        (URLError(TimeoutError("timed out")), "does not answer within 2 s"),
        (HTTPError(URL, 404, "Not Found", {}, None), "answers 404 Not Found"),
        (ConnectionResetError(), "does not answer: ConnectionResetError"),
    ],
)
def test_each_way_to_fail_has_its_words(error, says):
    _, found = source([error])[0].scrape(None)
    assert found["server.itl_s"].source == f"n/a: {URL}/metrics {says}"


def test_an_answer_that_is_no_exposition_says_so():
    _, found = source(["<html>login</html>"])[0].scrape(None)
    assert "does not speak Prometheus" in found["server.running"].source


def test_rates_are_over_the_time_between_the_middles_of_two_scrapes():
    made, clock = source([TOKENS.format(100), TOKENS.format(300)], took=0.2)
    before, _ = made.scrape(None)
    clock.now += 0.8
    _, found = made.scrape(before)
    assert before.t == pytest.approx(0.1) and found[TOOK].value == pytest.approx(0.2)
    assert found["server.tokens_per_s"].value == pytest.approx(200)


def test_after_a_failure_the_interval_goes_back_to_the_last_scrape_that_came_through():
    made, clock = source([TOKENS.format(100), TimeoutError(), TOKENS.format(400)])
    before, _ = made.scrape(None)
    clock.now = 1.0
    same, failed = made.scrape(before)
    assert same is before and failed["server.tokens_per_s"].value is None
    clock.now = 2.0
    _, found = made.scrape(same)
    assert found["server.tokens_per_s"].value == pytest.approx(150)


def test_a_path_is_added_where_there_is_none():
    assert MetricsSource("http://host:8000").url == "http://host:8000/metrics"
    assert MetricsSource("http://host:8000/").url == "http://host:8000/metrics"
    assert MetricsSource("https://host/m/prom").url == "https://host/m/prom"


@pytest.mark.parametrize("url", ["host:8000", "ftp://host", "", "http://"])
def test_what_is_no_address_of_a_server_is_refused_with_the_fix(url):
    with pytest.raises(ValueError, match="give http://host:port"):
        MetricsSource(url)


@pytest.mark.parametrize("wrong", [{"every": 0}, {"timeout": -1}])
def test_times_that_can_not_be_are_refused(wrong):
    with pytest.raises(ValueError, match="above 0"):
        MetricsSource(URL, **wrong)


class Page(BaseHTTPRequestHandler):
    """/metrics: one more token every time; /slow: a byte now and then; else 503."""

    tokens = 0

    def do_GET(self):
        if self.path == "/metrics":
            Page.tokens += 1
            body = (RUNNING + TOKENS.format(Page.tokens)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        elif self.path == "/slow":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(100):
                    self.wfile.write(b"#")
                    time.sleep(0.02)
            except OSError:
                pass
        else:
            self.send_error(503)

    def log_message(self, *_):
        pass


@contextmanager
def serving():
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(5)


def until(made, good, seconds=5.0):
    """Read until the readings please."""
    end = time.monotonic() + seconds
    while not good(found := made.read()):
        assert time.monotonic() < end, found
        time.sleep(0.005)
    return found


def threads():
    return sum(t.name == "constraintlab-metrics" for t in threading.enumerate())


def test_a_real_server_is_asked_again_and_again_until_the_source_is_closed():
    with serving() as url, closing(MetricsSource(url, every=0.01)) as made:
        found = until(made, lambda r: r["server.tokens_per_s"].value)
        assert found["server.running"].value == 3 and 0 <= found[AGE].value < 5
        made.close()
        end = time.monotonic() + 5
        while threads() and time.monotonic() < end:
            time.sleep(0.005)
        assert threads() == 0
        asked = Page.tokens
        assert until(made, lambda r: r["server.running"].value), "a read opens it again"
        assert Page.tokens > asked


def test_a_server_that_goes_away_and_comes_back():
    with serving() as url, closing(MetricsSource(f"{url}/other", every=0.01)) as made:
        found = until(made, lambda r: "503" in r["server.running"].source)
        assert found["server.tokens_per_s"].value is None
        made.url = f"{url}/metrics"
        until(made, lambda r: r["server.running"].value == 3)


def test_a_server_that_accepts_and_says_nothing_keeps_no_reader_waiting():
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with closing(MetricsSource(url, every=0.01, timeout=0.2)) as made:
            first = made.read()
            assert first["server.running"].value is None and first[AGE].value is None
            took = []
            for _ in range(20):
                began = time.perf_counter()
                made.read()
                took.append(time.perf_counter() - began)
            assert min(took) < 1e-3 and max(took) < 0.1
            found = until(made, lambda r: "within 0.2 s" in r["server.running"].source)
            assert found[AGE].value is None


def test_an_answer_that_drips_is_given_up_too():
    with serving() as url:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            fetch(f"{url}/slow", 0.2)
        assert time.monotonic() - began < 1.5
