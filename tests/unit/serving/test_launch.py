"""A server in a process of its own: the reasoner's answers, its end, and the command line."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from constraintlab.engine.process import EngineProcess
from constraintlab.engine.reasoner import collatz
from constraintlab.engine.request import Sampling
from constraintlab.engine.setup import Setup
from constraintlab.serving.launch import Server
from constraintlab.serving.options import Options

from .conftest import events, texts, wait_for

REASONER = Setup(blocks=400, slots=8, threads=1)


def post(url, **body):
    data = json.dumps(body).encode()
    with urllib.request.urlopen(f"{url}/v1/completions", data, timeout=60) as reply:
        return reply.read()


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(p) for p in file.read().split()]


@pytest.mark.long
def test_the_reasoner_s_streamed_answer_is_the_engine_s_and_it_is_right():
    asked = [collatz.prompt(n) for n in (3, 20, 7, 12)]
    sampling = Sampling(400, stop_tokens=(collatz.END,))
    with EngineProcess(REASONER) as engine:
        direct = engine.run([(collatz.tokens(p), sampling) for p in asked])
    with Server(REASONER) as server:
        for prompt, answer in zip(asked, direct, strict=True):
            ask = {"prompt": prompt, "max_tokens": 400, "temperature": 0}
            found = events(post(server.url, stream=True, **ask))
            whole = json.loads(post(server.url, **ask))
            assert "".join(texts(found)) == answer.text == whole["choices"][0]["text"]
            assert found[-1]["choices"][0]["finish_reason"] == "stop"
            assert collatz.verify(prompt, answer.text + ";")
        with pytest.raises(urllib.error.HTTPError) as error:
            post(server.url, prompt="hello")
        assert b"the reasoner knows the characters" in error.value.read()


def test_a_server_starts_serves_and_ends_with_its_engine():
    with Server(Setup(model="stub"), stream_interval=4, name="echo") as server:
        found = events(post(server.url, prompt=" babab", max_tokens=9, stream=True))
        assert len(found) == 3 and found[0]["model"] == "echo"
        assert server.running and server.url == f"http://127.0.0.1:{server.port}"
        pids = [server.pid, *children(server.pid)]
        assert len(pids) == 2
    assert wait_for(lambda: all(map(gone, pids))) and not server.running
    server.close()


def test_a_server_that_can_not_start_brings_the_end_of_its_log():
    with pytest.raises(RuntimeError, match=r"(?s)did not start.*there is no model 'nope'"):
        Server(Setup(model="nope"))
    taken = pytest.raises(RuntimeError, match="choose another port")
    with Server(Setup(model="stub")) as server, taken:
        Server(Setup(model="stub"), port=server.port)


STARTER = """
from constraintlab.engine.setup import Setup
from constraintlab.serving.launch import Server
server = Server(Setup(model="stub@20"))
print(server.pid, flush=True)
import time
time.sleep(60)
"""


def python(*arguments, **options):
    path = os.pathsep.join(p for p in sys.path if p)
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        **options,
    )


def test_a_server_ends_with_the_process_that_started_it():
    starter = python("-c", STARTER)
    pids = [int(starter.stdout.readline())]
    pids += children(pids[0])
    assert not any(map(gone, pids))
    starter.kill()
    starter.communicate()
    assert wait_for(lambda: all(map(gone, pids)))


def test_the_command_says_where_it_serves_and_ends_at_a_signal():
    args = ("serve", "--model", "stub@50", "--port", "0", "--kv-blocks", "64", "--grace", "0.2")
    command = python("-c", "from constraintlab.cli import app; app()", *args)
    line = command.stdout.readline()
    assert line.startswith("serving stub@50 at http://127.0.0.1:")
    url = line.split()[-1]
    assert json.loads(post(url, prompt=" babab", max_tokens=2))["model"] == "stub@50"
    began = time.monotonic()
    command.send_signal(signal.SIGINT)
    _, log = command.communicate(timeout=20)
    assert time.monotonic() - began < 5 and command.returncode == 0 and not log


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--model", "nope"), "serve: there is no model 'nope'"),
        (("--policy", "lifo"), "serve: policy='lifo': use static"),
        (("--stream-interval", "0"), "serve: stream_interval=0: give 1"),
    ],
)
def test_the_command_names_what_is_wrong(args, says):
    command = python(
        "-c", "from constraintlab.cli import app; app()", "serve", "--port", "0", *args
    )
    out, log = command.communicate(timeout=30)
    assert command.returncode == 2 and "Traceback" not in log and not out
    assert log.splitlines()[-1].startswith(says)


def test_a_server_that_others_reach_without_a_key_is_exposed():
    assert Options(host="0.0.0.0").exposed and Options(host="example.org").exposed
    assert not Options(host="0.0.0.0", key="k").exposed
    assert not any(Options(host=h).exposed for h in ("127.0.0.1", "::1", "localhost"))
    assert "k3y" not in repr(Options(key="k3y"))


def count_events(url, **ask):
    """How many events an answer comes in, the closing one left out."""
    data = json.dumps({**ask, "stream": True}).encode()
    with urllib.request.urlopen(f"{url}/v1/completions", data, timeout=60) as reply:
        return sum(line.startswith(b"data: {") for line in reply)


def test_an_engine_changes_in_its_process_and_the_server_s_counters_go_on():
    stub = Setup("stub@400", policy="continuous", slots=2, tokens=64, blocks=64, words=True)
    ask = {"prompt": [1, 2, 3], "max_tokens": 20, "temperature": 0, "ignore_eos": True}
    with Server(stub) as server:
        engine = children(server.pid)
        post(server.url, **ask)
        server.change(replace(stub, slots=5, blocks=32, policy="mlfq"))
        post(server.url, **ask)
        text = urllib.request.urlopen(f"{server.url}/metrics").read().decode()
        assert "constraintlab:slots 5.0" in text and 'num_gpu_blocks="32"' in text
        assert 'policy="mlfq"' in text and server.setup.slots == 5
        assert "vllm:generation_tokens_total{" in text and "} 40.0" in text
        assert children(server.pid) == engine
        with pytest.raises(ValueError, match="start another one"):
            server.change(replace(stub, model="stub@100"))
        with pytest.raises(ValueError, match="n_blocks=0: give 1 or more"):
            server.change(replace(stub, blocks=0))
        assert server.setup.slots == 5
        post(server.url, **ask)
        several = count_events(server.url, **ask)
        server.change(replace(stub, slots=5), stream_interval=10)
        assert (
            count_events(server.url, **ask) == 3 < several and server.options.stream_interval == 10
        )
        server.change(replace(stub, slots=4))
        assert count_events(server.url, **ask) == 3, "the interval stays unless another is given"
        open_ask = {**ask, "max_tokens": 400, "stream": True}
        data = json.dumps(open_ask).encode()
        with urllib.request.urlopen(f"{server.url}/v1/completions", data, timeout=60) as reply:
            reply.readline()
            with pytest.raises(ValueError, match="1 requests are open"):
                server.change(stub)
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="the server is gone"):
            server.change(stub)
