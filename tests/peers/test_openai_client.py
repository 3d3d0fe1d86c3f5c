"""OpenAI's own Python client against our server: whole, streamed, wrong, and left in the middle."""

import asyncio
import os
import signal
import time
import urllib.request
from pathlib import Path

import pytest

from constraintlab.engine.reasoner import collatz
from constraintlab.engine.setup import Setup
from constraintlab.serving.launch import Server

from .conftest import need

KEY = "a-key"
LINES = " babab\u2028é😀\n\nline two\r\n dizut"


@pytest.fixture(scope="module")
def openai():
    need("openai")
    import openai

    return openai


@pytest.fixture(scope="module")
def server():
    setup = Setup(model="stub@200", blocks=2000, slots=16, tokens=512)
    with Server(setup, key=KEY, grace=0.5) as found:
        yield found


@pytest.fixture(scope="module")
def client(openai, server):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as found:
        yield found


def running(server):
    """Requests that run, by the server's own metric."""
    with urllib.request.urlopen(f"{server.url}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    return next(float(x.split()[-1]) for x in lines if x.startswith("vllm:num_requests_running{"))


def soon(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_the_model_is_listed_and_found(client):
    assert [m.id for m in client.models.list()] == ["stub@200"]
    assert client.models.retrieve("stub@200").owned_by == "constraintlab"


def test_a_completion_whole_and_streamed(client):
    whole = client.completions.create(model="stub@200", prompt=LINES, max_tokens=60)
    n = whole.usage.prompt_tokens
    assert whole.choices[0].text.startswith(LINES) and whole.choices[0].finish_reason == "length"
    stream = client.completions.create(
        model="stub@200",
        prompt=LINES,
        max_tokens=60,
        stream=True,
        stream_options={"include_usage": True},
    )
    *chunks, last = list(stream)
    assert "".join(c.choices[0].text for c in chunks) == whole.choices[0].text
    assert last.choices == [] and last.usage.completion_tokens == 60
    assert last.usage.prompt_tokens == n
    for answer in (whole, last):
        assert answer.timings["decode"] > 0, "a field that it does not know is passed on"


def test_a_chat_whole_and_streamed(client):
    ask = {"model": "stub@200", "max_completion_tokens": 40, "seed": 3}
    messages = [{"role": "user", "content": LINES}]
    whole = client.chat.completions.create(messages=messages, **ask)
    assert whole.choices[0].message.role == "assistant"
    assert whole.choices[0].message.content.startswith(LINES)
    chunks = list(client.chat.completions.create(messages=messages, stream=True, **ask))
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(c.choices[0].delta.content or "" for c in chunks)
    assert text == whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "length"


def test_the_client_s_own_gathering_of_a_stream(client):
    messages = [{"role": "user", "content": " babab dizut"}]
    with client.chat.completions.stream(
        model="stub@200", messages=messages, max_tokens=50, stop="zut"
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == " babab di"


def test_a_stop_string(client):
    found = client.completions.create(
        model="stub@200", prompt=" babab dizut", max_tokens=50, stop=["izu"]
    )
    assert found.choices[0].text == " babab d" and found.choices[0].finish_reason == "stop"


def test_errors_are_the_client_s_own_kinds(openai, client):
    with pytest.raises(openai.BadRequestError) as bad:
        client.completions.create(model="stub@200", prompt="a", n=2)
    assert bad.value.param == "n" and bad.value.code == "unsupported"
    assert "does not support it" in bad.value.body["message"]
    with pytest.raises(openai.BadRequestError) as bad:
        client.completions.create(model="stub@200", prompt="a", max_tokens=10**6)
    assert bad.value.code == "context_length_exceeded"
    with pytest.raises(openai.NotFoundError) as lost:
        client.completions.create(model="gpt", prompt="a")
    assert lost.value.code == "model_not_found"
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="no").models.list()


def test_a_full_server_is_a_rate_limit_and_the_client_comes_back_by_itself(openai):
    setup = Setup(model="stub@100", blocks=500, slots=1, tokens=64)
    with Server(setup, queue=0, grace=0.2) as server:
        base = f"{server.url}/v1"
        with openai.OpenAI(base_url=base, api_key="x", max_retries=0) as client:
            stream = client.completions.create(
                model="stub@100", prompt="a", max_tokens=60, stream=True
            )
            with pytest.raises(openai.RateLimitError) as full:
                client.completions.create(model="stub@100", prompt="a")
            assert int(full.value.response.headers["retry-after"]) >= 1
            assert len(list(stream)) == 60
            assert client.completions.create(model="stub@100", prompt="a").choices


def test_a_stream_that_is_left_is_cancelled_in_the_engine(server, client):
    stream = client.completions.create(model="stub@200", prompt="a", max_tokens=5000, stream=True)
    for _, _ in zip(range(3), stream, strict=False):
        pass
    assert running(server) == 1
    stream.close()
    assert soon(lambda: running(server) == 0)


def test_a_task_that_is_cancelled_is_cancelled_in_the_engine(openai, server):
    async def leave():
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY) as client:
            asking = client.completions.create(model="stub@200", prompt="a", max_tokens=5000)
            task = asyncio.ensure_future(asking)
            while not running(server):
                await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(leave())
    assert soon(lambda: running(server) == 0)


def test_an_engine_that_dies_is_an_error_in_mid_stream(openai):
    setup = Setup(model="stub@50", blocks=500, slots=4, tokens=64)
    with Server(setup, grace=0.2) as server:
        engine = int(Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text())
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0) as client:
            stream = client.completions.create(
                model="stub@50", prompt="a", max_tokens=5000, stream=True
            )
            next(iter(stream))
            os.kill(engine, signal.SIGKILL)
            with pytest.raises(openai.APIError, match="signal 9"):
                list(stream)


def test_many_at_once_through_the_asynchronous_client(openai, server):
    async def one(client, i):
        stream = await client.completions.create(
            model="stub@200", prompt=[300 + i, 400 + i], max_tokens=20, stream=True
        )
        return "".join([c.choices[0].text async for c in stream])

    async def many():
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY) as client:
            return await asyncio.gather(*(one(client, i) for i in range(40)))

    found = asyncio.run(many())
    assert len(set(found)) == 40 and all(len(text) == 120 for text in found)


def test_the_reasoner_is_right_through_the_client(openai):
    with Server(Setup(blocks=400, slots=8, threads=1)) as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="x")
        for n in (3, 12):
            prompt = collatz.prompt(n)
            stream = client.completions.create(
                model="reasoner", prompt=prompt, max_tokens=400, temperature=0, stream=True
            )
            text = "".join(c.choices[0].text for c in stream)
            assert collatz.verify(prompt, text + ";")
        client.close()
