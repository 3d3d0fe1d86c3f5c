"""`constraintlab load`: from start to report, and one line for whatever is wrong before it."""

import asyncio
import json
import socket
import threading

import pytest
from aiohttp import web
from typer.testing import CliRunner

from constraintlab.cli import app
from constraintlab.load import command, preflight
from constraintlab.load.checkable import Collatz
from tests.unit.load.scripted import elsewhere, serving, stream, tokens


async def answers(request):
    said = await request.json()
    if said["stream"]:
        return await stream(request, tokens(said["max_tokens"], gap=0.001))
    words = 1.5 * len(said["prompt"].split())
    return web.json_response({"usage": {"prompt_tokens": 3 + words, "completion_tokens": 1}})


def call(*words):
    return CliRunner().invoke(app, ["load", *map(str, words)])


def test_a_run_from_the_command_line_reports_json_alone_on_stdout():
    with elsewhere(answers) as url:
        done = call(f"{url}/v1/", "--profile", "12x5", "--rate", 50, "--limit", 10,
                    "--arrivals", "uniform", "--slo", "ttft=5", "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["requests"]["ok"] == 10 and said["output_tokens"] == 50
    assert said["goodput"]["met"] == 10
    assert said["settings"]["tokens_per_word"] == 1.5 and said["settings"]["model"] == "tiny"


def test_a_table_is_for_people():
    with elsewhere(answers) as url:
        done = call(url, "--profile", "12x5", "--rate", 50, "--limit", 3)
    assert done.exit_code == 0 and "TTFT" in done.stdout and "3 ok" in done.stdout


async def refuse(request):
    return web.json_response({"error": {"message": "prompt too long"}}, status=400)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "big"], "has no model 'big': use --model tiny"),
        (["--profile", "talk"], "no profile 'talk': use chat, code, reasoning, stress, collatz"),
        (["--arrivals", "burst"], "give poisson, uniform, gamma:CV"),
        (["--slo", "fast"], "give ttft, tpot, itl, e2e like"),
        (["--rate", "0"], "rate=0.0: give a number above 0"),
        (["--duration", "-1"], "duration=-1.0: give seconds"),
        (["--processes", "0"], "processes=0: give 1 or more"),
        (["--cap", "0"], "cap=0: give 2 tokens or more"),
        (["--profile", "trace:none"], "no trace 'none'"),
    ],
)
def test_a_wrong_word_is_one_line_that_names_the_fix(words, said):
    with elsewhere(answers) as url:
        done = call(url, *words)
    assert done.exit_code == 2 and said in " ".join(done.stderr.split())
    assert done.stderr.startswith("load: ") and "Traceback" not in done.output


def test_what_the_server_says_of_a_prompt_is_said():
    with elsewhere(refuse) as url:
        done = call(url)
    assert done.exit_code == 2 and "answered 400: prompt too long (is --chat" in done.stderr


def test_nobody_there_unknown_hosts_and_no_addresses_are_told_apart():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for url, said in (
        (f"127.0.0.1:{port}", "(connection refused): start a server, e.g. `constraintlab serve`"),
        ("http://nobody.invalid:1", "is unknown: check its name"),
        ("ftp://x", "is no address: give one like http://127.0.0.1:8000"),
        ("http://x:port", "is no address"),
    ):
        done = call(url)
        assert done.exit_code == 2 and said in done.stderr


def test_something_that_is_no_http_is_said():
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet():
            peer, _ = other.accept()
            peer.recv(100)
            peer.sendall(b"220 mail ready\r\n")
            peer.close()

        threading.Thread(target=greet, daemon=True).start()
        done = call(f"127.0.0.1:{other.getsockname()[1]}")
    assert done.exit_code == 2 and "does not speak HTTP" in done.stderr


@pytest.mark.parametrize(
    ("status", "body", "key", "said"),
    [
        (401, {}, None, "answered 401: give its key with --key, or set OPENAI_API_KEY"),
        (401, {}, "k", "answered 401: give another key with --key"),
        (404, {}, None, "answered 404 and lists no model: that is no OpenAI API"),
        (200, {"data": []}, None, "lists no model"),
        (200, {"data": [{"id": "a"}, {"id": "b"}]}, None, "serves a, b: choose one with --model"),
    ],
)
def test_what_a_server_lists_is_looked_at(status, body, key, said):
    async def main():
        refused = web.json_response(body, status=status)
        async with serving(answers, check=lambda request: refused) as url:
            return await preflight.model(url, None, key)

    with pytest.raises(preflight.Trouble) as caught:
        asyncio.run(main())
    assert said in str(caught.value)


def test_the_key_is_sent_and_the_server_s_own_room_is_kept():
    async def main():
        def check(request):
            ok = request.headers.get("Authorization") == "Bearer right"
            room = {"data": [{"id": "m", "max_model_len": 96}]}
            return web.json_response(room, status=200 if ok else 401)

        async with serving(answers, check=check) as url:
            options = command.Options(url, profile="chat", key="right", limit=5)
            target, load = await command.prepare(options)
            return target, list(load.asks())

    target, asks = asyncio.run(main())
    assert target.key == "right" and target.model == "m"
    assert all(ask.tokens + ask.output <= 96 for ask in asks)


def test_a_model_that_knows_no_words_is_asked_in_digits():
    async def digits(request):
        said = await request.json()
        if not said["prompt"].isdecimal():
            return await refuse(request)
        return web.json_response({"usage": {"prompt_tokens": len(said["prompt"])}})

    async def main():
        async with serving(digits) as url:
            _, load = await command.prepare(command.Options(url, profile="10x2", limit=1))
            _, asked = await command.prepare(command.Options(url, profile="collatz", limit=1))
            return next(load.asks()), asked.source

    ask, source = asyncio.run(main())
    assert ask.prompt.isdecimal() and len(ask.prompt) == 10
    assert source == Collatz(1024)
