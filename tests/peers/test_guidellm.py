"""guidellm measures the same server under the same load: its figures and ours agree within 10%."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from constraintlab.engine.setup import Setup
from constraintlab.load import preflight
from constraintlab.load.arrivals import Uniform
from constraintlab.load.fleet import Fleet
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.report import Report
from constraintlab.load.target import Target
from constraintlab.load.workload import Workload
from constraintlab.serving.launch import Server
from tests.peers.conftest import need

RATE, REQUESTS, PROMPT, OUTPUT = 4.1, 80, 64, 32
"""Not 4 a second: every 250 ms all requests would meet the stub's 20 ms steps at the same two
moments, and where those lie is chance, each tool's own. At 4.1 they meet them everywhere."""

THEIRS = {"time_to_first_token_ms", "inter_token_latency_ms", "output_tokens_per_second",
          "requests_per_second"}  # fmt: skip
MODEL = "stub@50"
"""A server at a pace of its own: a real engine is slower beside the tool that loads the cores more,
and then the server is compared, not the tools."""


@pytest.fixture(scope="module")
def server():
    need("guidellm")
    setup = Setup(model=MODEL, slots=16, blocks=1024)
    with Server(setup) as running:
        yield running


@pytest.fixture(scope="module")
def load(server):
    lengths = Lengths.exactly(PROMPT), Lengths.exactly(OUTPUT)
    text = asyncio.run(preflight.text(Target(server.url, MODEL)))
    return Workload(Uniform(RATE), Profile("same", *lengths), limit=REQUESTS, text=text)


def ours(server, load):
    with Fleet(Target(server.url, MODEL), load) as fleet:
        ran = fleet.wait(120)
    return Report.of(ran.records, client=ran.used)


def theirs(server, load, folder):
    """guidellm's metrics of the very same prompts, at the same constant rate."""
    asked, out = folder / "asked.json", folder / "out.json"
    lines = [{"prompt": a.prompt, "output_tokens_count": a.output} for a in load.asks()]
    asked.write_text("\n".join(map(json.dumps, lines)) + "\n")
    beside = Path(sys.executable).with_name("guidellm")
    program = str(beside) if beside.exists() else shutil.which("guidellm")
    backend = f"kind=openai_http,target={server.url},request_format=/v1/completions,http2=false"
    done = subprocess.run(
        [program, "run", "--backend", backend, "--profile", f"kind=constant,rate={RATE}",
         "--constraint", f"kind=max_requests,count={REQUESTS}",
         "--data", f"kind=json_file,path={asked}", "--output", f"kind=json,path={out}",
         "--disable-console"],
        env=os.environ | {"HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(out.read_text())["benchmarks"][0]["metrics"]


def test_ttft_itl_and_throughput_agree_with_guidellm_s(server, load, tmp_path):
    ours(server, replace(load, limit=4))  # a new server is slower at first
    found, peer = ours(server, load), theirs(server, load, tmp_path)
    successful = {n: spread["successful"] for n, spread in peer.items() if n in THEIRS}
    assert found.statuses["ok"] == successful["time_to_first_token_ms"]["count"] == REQUESTS
    figures = {
        "TTFT": (found.ttft.mean * 1e3, successful["time_to_first_token_ms"]["mean"]),
        "ITL": (found.itl.mean * 1e3, successful["inter_token_latency_ms"]["mean"]),
        "tokens/s": (found.output_per_s, successful["output_tokens_per_second"]["mean"]),
        "requests/s": (found.requests_per_s, successful["requests_per_second"]["mean"]),
    }
    print({name: f"{a:.3f} against {b:.3f}" for name, (a, b) in figures.items()})
    for name, (a, b) in figures.items():
        assert a == pytest.approx(b, rel=0.1), name
