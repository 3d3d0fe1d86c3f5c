"""The commands: what a user does wrong is told with its fix; recordings say what was seen live."""

import gzip
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from rich.console import Console
from typer.testing import CliRunner

from constraintlab.cli import app
from constraintlab.telemetry.recording import Recorder
from constraintlab.watch import command, live
from constraintlab.watch.command import Options, is_file
from constraintlab.watch.reach import place
from tests.unit.watch.servers import KV_STARVED, QUIET, looked, text

RUN = CliRunner()


class Page(BaseHTTPRequestHandler):
    """Answers a GET with what its server was made with: (status, body), or a function's text."""

    def do_GET(self):
        status, body = self.server.answer(self) if callable(self.server.answer) else (
            self.server.answer
        )  # fmt: skip
        if status == 0:
            self.close_connection = True
            return
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@contextmanager
def serving(answer):
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        server.answer = answer
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(5)


def diagnosed(*args):
    return RUN.invoke(app, ["diagnose", *args])


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((404, "nope"), "start SGLang with --enable-metrics"),
        ((401, "key?"), "give its key with --key, or set OPENAI_API_KEY"),
        ((403, "key?"), "give its key with --key"),
        ((500, "oops"), "answered 500: look at the server's log"),
        ((200, "<!doctype html><html>"), "is a web page and no metrics"),
        ((200, '{"error": 1}'), "is not in Prometheus' format"),
        ((200, "# TYPE node_load1 gauge\nnode_load1 2\n"), "shows no metric of vLLM, SGLang or"),
    ],
)
@pytest.mark.parametrize("verb", ["diagnose", "watch"])
def test_a_server_that_can_not_be_looked_at_is_told_with_the_fix(verb, answer, says):
    with serving(answer) as url:
        ran = RUN.invoke(app, [verb, url])
    assert ran.exit_code == 2 and not ran.stdout
    assert ran.stderr.startswith(f"{verb}: ") and says in ran.stderr


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:9", "is it running, and are host and port right?"),
        ("ftp://host", "is no address: give one like http://127.0.0.1:8000"),
        ("http://nowhere.invalid:80", "can't connect to http://nowhere.invalid:80"),
        ("lost.jsonl", "there is no file lost.jsonl: check its name"),
        ("/missing/path", "there is no file /missing/path: check its name"),
        ("./server", "there is no file server: check its name"),
    ],
)
def test_a_wrong_address_is_told_with_the_fix(url, says):
    ran = diagnosed(url)
    assert ran.exit_code == 2 and says in ran.stderr and "Traceback" not in ran.stderr


@pytest.mark.parametrize("verb", ["watch", "diagnose"])
def test_no_time_to_look_is_refused_before_anybody_is_asked(verb):
    done = RUN.invoke(app, [verb, "http://127.0.0.1:1", "--seconds", "-3"])
    assert done.exit_code == 2 and "'--seconds'" in done.output and "0.1" in done.output


def test_a_promise_that_no_metric_tells_is_refused():
    ran = diagnosed("http://127.0.0.1:9", "--slo", "tpot=50ms")
    assert ran.exit_code == 2 and "give itl= for the gaps" in ran.stderr
    assert "give ttft" in diagnosed("http://127.0.0.1:9", "--slo", "speed=1").stderr


def test_the_key_goes_along(monkeypatch):
    def answer(page):
        right = page.headers["Authorization"] == "Bearer sesame"
        return (200, text("vllm 0.11", QUIET[0])) if right else (401, "")

    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with serving(answer) as url:
        args = (url, "--seconds", "0.2", "--every", "0.05", "--no-probe")
        assert diagnosed(*args).exit_code == 2
        ran = diagnosed(*args, "--key", "sesame")
    assert ran.exit_code == 3 and "2 requests run and not one token is counted" in ran.stdout


def test_a_server_that_dies_midway_gives_a_verdict_on_what_came_before(monkeypatch):
    seen = []

    def answer(page):
        seen.append(1)
        done = len(seen) > 8
        return (0, "") if done else (200, text("vllm 0.11", KV_STARVED[min(len(seen), 10)]))

    with serving(answer) as url:
        ran = diagnosed(url, "--seconds", "20", "--every", "0.05", "--no-probe", "--json")
    found = json.loads(ran.stdout)
    assert ran.exit_code == 0 and found["constraint"] == ["kv_capacity"]
    assert found["notes"][0].startswith("the server does not answer any more: http://127.0.0.1")
    assert found["window"]["gaps"] == 5


def test_where_evidence_is_lacking_the_status_is_three_and_it_says_what_to_switch_on():
    with serving((200, text("vllm 0.11", KV_STARVED[3], without=("waiting",)))) as url:
        ran = diagnosed(url, "--seconds", "0.3", "--every", "0.05", "--no-probe")
    assert ran.exit_code == 3 and ran.stdout.startswith("Insufficient evidence: no verdict.")
    assert "start without --disable-log-stats" in ran.stdout
    assert "leave the probe on" in ran.stdout


def recorded(path, moments=KV_STARVED, version="vllm 0.11", family="vllm"):
    samples, _ = looked([text(version, m) for m in moments])
    with Recorder(path, {"cpu": "vllm at host:8000", "server": family}) as record:
        for sample in samples:
            record(sample)
    return path


def test_a_recording_says_what_the_server_said(tmp_path):
    path = recorded(tmp_path / "a.jsonl")
    ran = diagnosed(str(path), "--json", "--slo", "ttft=250ms")
    found = json.loads(ran.stdout)
    assert ran.exit_code == 0
    assert found["constraint"] == ["kv_capacity"] and found["runner_up"] == []
    assert found["confidence"] == "high" and found["server"] == "vllm"
    assert found["window"] == {"seconds": 10.0, "looks": 11, "gaps": 0}
    assert found["facts"]["kv"]["source"].startswith("recorded: vllm at host:8000, 20")
    assert found["facts"]["probe_itl"] == {"value": None, "source": "n/a: no look has probe.itl_s"}
    assert any("--gpu-memory-utilization" in line for line in found["try"])
    assert found["late"][0]["missed"] and found["late"][0]["p99"] == [0.25, 0.5]
    assert set(found) == {"outcome", "constraint", "runner_up", "confidence", "evidence", "try",
                          "switch_on", "late", "notes", "server", "window", "facts", "engines",
                          "verdict"}  # fmt: skip
    assert all(f"{key}" in command_help() for key in set(found) - {"verdict"})


def command_help():
    return " ".join(RUN.invoke(app, ["diagnose", "--help"]).stdout.split())


def test_a_torn_recording_is_read_as_far_as_it_goes_and_says_so(tmp_path):
    path = recorded(tmp_path / "a.jsonl")
    path.write_bytes(path.read_bytes()[:-40])
    found = json.loads(diagnosed(str(path), "--json").stdout)
    assert found["window"]["looks"] == 10 and found["constraint"] == ["kv_capacity"]
    assert any("was cut off" in note for note in found["notes"])
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert json.loads(diagnosed(str(packed), "--json").stdout)["constraint"] == ["kv_capacity"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("hello\n", "is no Constraint Lab recording"),
        ('{"constraintlab": "recording", "version": 7}\n', "upgrade it with pip install"),
        ('{"constraintlab": "recording", "version": 1, "started": "2026-01-01T00:00:00+00:00", '
         '"machine": {}, "names": {}}\n{"t": 0, "values": {"host.cores": 2}, '
         '"sources": {"host.cores": "measured"}}\n', "has no look at a server: record one with"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_recording_of_a_server_is_told(tmp_path, content, says):
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    ran = diagnosed(str(path))
    assert ran.exit_code == 2 and says in ran.stderr.replace("\n", " ")


def test_watch_records_what_diagnose_then_reads_and_never_overwrites(tmp_path):
    path, seen = tmp_path / "w.jsonl", []

    def answer(page):
        seen.append(1)
        return 200, text("vllm 0.11", KV_STARVED[len(seen) % 11])

    with serving(answer) as url:
        args = ["watch", url, "--seconds", "0.5", "--every", "0.05", "--no-probe"]
        ran = RUN.invoke(app, [*args, "--record", str(path)])
        assert ran.exit_code == 0 and f"constraintlab diagnose {path}" in ran.stderr
        lines = ran.stdout.splitlines()
        assert "running 9" in ran.stdout and "KV capacity" in lines[-1] + ran.stdout
        again = RUN.invoke(app, [*args, "--record", str(path)])
        assert again.exit_code == 2 and "record into" in again.stderr
    assert json.loads(diagnosed(str(path), "--json").stdout)["constraint"] == ["kv_capacity"]


def test_ctrl_c_leaves_with_the_last_verdict(monkeypatch):
    looks = []

    def answer(page):
        looks.append(1)
        return 200, text("vllm 0.11", KV_STARVED[min(len(looks), 10)])

    def wait(seconds):
        if len(looks) >= 8:
            raise KeyboardInterrupt

    made = command.attach

    def attach(options, counted=None):
        found = made(options, counted)
        found.wait = wait
        return found

    monkeypatch.setattr(live, "attach", attach)
    out = Console(record=True, force_terminal=True, width=100, height=60)
    with serving(answer) as url:
        assert live.watch(Options(url, probe=False), console=out) == 0
    shown = out.export_text()
    assert shown.rindex("KV capacity") > shown.index("requests running")
    assert "no probe ran (--no-probe)" in shown and "n/a" in shown
    assert "█" in shown and "--gpu-memory-utilization" in shown


def test_an_address_is_a_server_s_its_api_s_or_its_metrics():
    for url in ("http://h:1", "h:1", "http://h:1/v1", "http://h:1/metrics", "http://h:1/metrics/"):
        assert place(url).metrics == "http://h:1/metrics" and place(url).api == "http://h:1"
    assert is_file("a.jsonl") and is_file("a.jsonl.gz") and not is_file("http://h/a.jsonl")
    assert is_file("/a") and not is_file("h:1/metrics")
