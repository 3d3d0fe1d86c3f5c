"""The interface over HTTP, with a stub that says its prompt again and again."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from constraintlab.engine.ledger import CAUSES
from constraintlab.engine.setup import Setup

from .conftest import serving, texts, wait_for

PROMPT = " babab é\u2028\u0085\r\n\n dizut😀"
"""Bytes of characters are tokens of their own here, so streams cut them."""

TOKENS = 2 * 15


def said(server, prompt=PROMPT, n=TOKENS, **more):
    return server.post(prompt=prompt, max_tokens=n, **more)


def test_a_completion_and_its_stream_have_the_same_text(server):
    whole = said(server)
    n = whole["usage"]["prompt_tokens"]
    assert whole["object"] == "text_completion" and whole["model"] == "stub"
    assert said(server, n=n)["choices"][0]["text"] == PROMPT
    found = server.stream(prompt=PROMPT, max_tokens=TOKENS)
    assert "".join(texts(found)) == whole["choices"][0]["text"]
    assert [e["choices"][0]["finish_reason"] for e in found][-2:] == [None, "length"]
    assert len({e["id"] for e in found}) == 1 and "usage" not in found[0]


def test_no_event_has_half_a_character(server):
    found = server.stream(prompt="😀é", max_tokens=12)
    assert texts(found) == ["😀", "é", "😀", "é"]


def test_an_interval_makes_fewer_events_of_the_same_text(server):
    with serving(stream_interval=8) as other:
        found = other.stream(prompt=" babab", max_tokens=20)
    assert texts(found) == [" babab", " babab" * 8, " babab" * 8, " babab" * 3]
    assert "".join(texts(found)) == said(server, " babab", 20)["choices"][0]["text"]


def test_an_interval_also_spares_the_pipe_from_the_engine():
    """Tokens of one event come as one line: the front end's work is a line's, not a token's."""
    with serving(stream_interval=8) as server:
        lines, hear = [], server.front.on_step

        def heard(now, found, tick):
            lines.extend(found)
            hear(now, found, tick)

        server.front.on_step = heard
        assert len(server.stream(prompt=PROMPT, max_tokens=41, ignore_eos=True)) == 6
    assert [len(tokens) for _, tokens, _, _ in lines] == [1, 8, 8, 8, 8, 8]


def test_a_chat_has_roles_and_its_own_default_of_as_many_tokens_as_fit(server):
    ask = {"messages": [{"role": "user", "content": " babab"}], "max_completion_tokens": 3}
    whole = server.post("/v1/chat/completions", **ask)
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": " babab" * 3}
    assert whole["object"] == "chat.completion" and whole["usage"]["completion_tokens"] == 3
    found = server.stream("/v1/chat/completions", **ask)
    deltas = [e["choices"][0]["delta"] for e in found]
    assert deltas[0] == {"role": "assistant", "content": " babab"}
    assert "".join(d["content"] for d in deltas) == " babab" * 3
    with serving(server.front.setup.__class__(model="stub", blocks=4)) as small:
        del ask["max_completion_tokens"]
        usage = small.post("/v1/chat/completions", **ask)["usage"]
        assert usage["total_tokens"] == 64


def test_a_conversation_without_a_template_is_lines_with_roles(server):
    turns = [{"role": "system", "content": "a"}, {"role": "user", "content": [
        {"type": "text", "text": "b"}, {"type": "text", "text": "c"}]}]  # fmt: skip
    whole = server.post("/v1/chat/completions", messages=turns, max_tokens=100)
    assert whole["choices"][0]["message"]["content"].startswith("system: a\nuser: bc\nassistant: ")


def test_token_ids_are_a_prompt_too(server):
    for prompt in ([300, 301], [[300, 301]]):
        assert said(server, prompt, 2)["usage"]["prompt_tokens"] == 2
    assert said(server, [" babab"], 2)["choices"][0]["text"] == " babab" * 2
    status, error = server.error("/v1/completions", {"prompt": [8192]})
    assert status == 400 and error["param"] == "prompt" and "below 8192" in error["message"]


def test_a_stop_string_ends_the_text_and_is_not_in_it(server):
    for stop in ("di", ["nowhere", "di"]):
        whole = said(server, " babab dizut", 40, stop=stop)
        assert whole["choices"][0] | {"index": 0} == {
            "index": 0, "text": " babab ", "logprobs": None, "finish_reason": "stop",
        }  # fmt: skip
        found = server.stream(prompt=" babab dizut", max_tokens=40, stop=stop)
        assert "".join(texts(found)) == " babab "


def test_usage_where_it_is_asked_for(server):
    options = {"include_usage": True}
    *found, last = server.stream(prompt=" babab", max_tokens=4, stream_options=options)
    assert all(e["usage"] is None for e in found) and last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5}
    options = {"continuous_usage_stats": True}
    found = server.stream(prompt="😀", max_tokens=8, stream_options=options)
    assert [e["usage"]["completion_tokens"] for e in found] == [4, 8]


def covered(answer, seconds):
    """What an answer says of its time, which is no more than its client waited."""
    whole, first = answer["timings"], answer["timings_to_first_token"]
    assert set(first) <= set(whole) <= set(CAUSES)
    assert 0 < sum(first.values()) <= sum(whole.values()) <= 1e3 * seconds
    assert "decode" not in first and whole["decode"] > 0
    return whole


def test_an_answer_says_where_its_time_went(server):
    ask = {"prompt": " babab", "max_tokens": 40, "ignore_eos": True}
    for chat in (False, True):
        path = "/v1/chat/completions" if chat else "/v1/completions"
        if chat:
            ask["messages"] = [{"role": "user", "content": ask.pop("prompt")}]
        began = time.monotonic()
        covered(server.post(path, **ask), time.monotonic() - began)
        began = time.monotonic()
        *found, last = server.stream(path, **ask, stream_options={"include_usage": True})
        covered(last, time.monotonic() - began)
        assert all("timings" not in e for e in found)
        assert all("timings" not in e for e in server.stream(path, **ask))


def test_the_interface_describes_every_cause(server):
    schemas = server.get("/openapi.json")["components"]["schemas"]
    assert set(schemas["Timings"]["properties"]) == set(CAUSES)
    assert "Milliseconds: a slot." in str(schemas["Timings"])
    answer = schemas["Answer"]
    for name in ("timings", "timings_to_first_token"):
        assert answer["properties"][name]["allOf"] == [{"$ref": "#/components/schemas/Timings"}]
        assert name not in answer["required"]


def test_who_waits_for_a_slot_is_told_so():
    ask = {"prompt": " babab", "max_tokens": 300, "ignore_eos": True}
    with (
        serving(Setup(model="stub@1000", blocks=64, slots=1)) as one,
        ThreadPoolExecutor(4) as pool,
    ):
        found = list(pool.map(lambda _: one.post(**ask)["timings"], range(4)))
    found.sort(key=lambda t: sum(t.values()))
    assert all(max(t, key=t.get) == "slots" for t in found[2:])
    assert "slots" not in found[0] or found[0]["slots"] < found[0]["decode"]


def test_models_and_health(server):
    (card,) = server.get("/v1/models")["data"]
    assert card == server.get("/v1/models/stub") and card["id"] == "stub"
    assert server.get("/health") == {"status": "ok", "why": ""}
    assert server.error("/v1/models/gpt")[1]["code"] == "model_not_found"
    assert server.error("/v1/completions", {"prompt": "a", "model": "gpt"}) == (404, {
        "message": "there is no model 'gpt' here, only 'stub'", "type": "not_found_error",
        "param": "model", "code": "model_not_found"})  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "method", "status", "param"),
    [
        ("/v1/nowhere", None, "GET", 404, None),
        ("/v1/completions", None, "GET", 405, None),
        ("/health", {}, "POST", 405, None),
        ("/v1/completions", b"{", "POST", 400, None),
        ("/v1/completions", b"", "POST", 400, None),
        ("/v1/completions", b"\xff\xfe", "POST", 400, None),
        ("/v1/completions", b"[" * 100_000, "POST", 400, None),
        ("/v1/completions", b'{"x":' + b"[" * 100_000, "POST", 400, None),
        ("/v1/completions", [], "POST", 400, None),
        ("/v1/completions", {}, "POST", 400, "prompt"),
        ("/v1/completions", {"prompt": ""}, "POST", 400, "prompt"),
        ("/v1/completions", {"prompt": []}, "POST", 400, "prompt"),
        ("/v1/completions", {"prompt": ["a", "b"]}, "POST", 400, "prompt"),
        ("/v1/completions", {"prompt": [-1]}, "POST", 400, "prompt[0]"),
        ("/v1/completions", b'{"prompt": "\\ud800"}', "POST", 400, None),
        ("/v1/completions", {"prompt": "a", "n": 2}, "POST", 400, "n"),
        ("/v1/completions", {"prompt": "a", "max_tokens": 0}, "POST", 400, "max_tokens"),
        ("/v1/completions", {"prompt": "a", "max_tokens": 10**30}, "POST", 400, "max_tokens"),
        ("/v1/completions", {"prompt": "a", "max_tokens": 10**7}, "POST", 400, None),
        ("/v1/completions", {"prompt": "a", "temperature": -1}, "POST", 400, "temperature"),
        ("/v1/completions", {"prompt": "a", "top_p": 0}, "POST", 400, "top_p"),
        ("/v1/completions", {"prompt": "a", "seed": 2**64}, "POST", 400, "seed"),
        ("/v1/completions", {"prompt": "a", "stop": [""]}, "POST", 400, "stop[0]"),
        ("/v1/completions", {"prompt": "a", "logprobs": 5}, "POST", 400, "logprobs"),
        ("/v1/completions", {"prompt": "a", "echo": True}, "POST", 400, "echo"),
        (
            "/v1/completions",
            {"prompt": "a", "stream_options": {}},
            "POST",
            400,
            "stream_options",
        ),
        ("/v1/chat/completions", {"messages": []}, "POST", 400, "messages"),
        ("/v1/chat/completions", {"messages": [{"role": "user"}]}, "POST", 400, "messages"),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "POST",
            400,
            "messages",
        ),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": "a"}], "tools": [{}]},
            "POST",
            400,
            "tools",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_field(server, path, body, method, status, param):
    got, error = server.error(path, body, method)
    assert got == status and error["param"] == param, error


def test_a_body_that_is_too_long_is_refused_by_its_announcement_or_its_length():
    with serving(body=1000) as server:
        assert server.error("/v1/completions", b"x" * 1001)[0] == 413
        pieces = (b"x" * 300 for _ in range(5))
        status, _, data = server.ask("/v1/completions", pieces, "POST")
        assert status == 413 and json.loads(data)["error"]["code"] == "body_too_large"


def test_an_api_key_is_asked_for_under_v1_only():
    with serving(key="secret") as server:
        for wrong in ({}, {"authorization": "Bearer secreT"}, {"authorization": "secret"}):
            status, error = server.error("/v1/models", headers=wrong)
            assert status == 401 and error["type"] == "authentication_error"
        assert server.ask("/v1/models", headers={"Authorization": "Bearer secret"})[0] == 200
        assert server.ask("/health")[0] == server.ask("/metrics")[0] == 200


def test_beyond_slots_and_queue_requests_are_turned_away_and_told_when_to_come_back():
    setup = server_setup(slots=2)
    with serving(setup, queue=1) as server:
        links = [server.open(prompt="a", max_tokens=5000) for _ in range(3)]
        assert wait_for(lambda: server.front.gate.open == 3)
        status, headers, data = server.ask("/v1/completions", {"prompt": "a"})
        assert status == 429 and json.loads(data)["error"]["code"] == "queue_full"
        assert 1 <= int(headers["retry-after"]) <= 60
        assert server.metric('constraintlab:requests_rejected_total{reason="queue"}') == 1
        for link in links:
            link.close()
        assert wait_for(lambda: server.front.gate.open == 0)
        assert server.ask("/v1/completions", {"prompt": "a"})[0] == 200


def server_setup(**more):
    from constraintlab.engine.setup import Setup

    return Setup(**{"model": "stub@100", "blocks": 2000, "tokens": 512, **more})


def test_metrics_count_what_was_served(server):
    names = ("vllm:prompt_tokens_total", "vllm:generation_tokens_total",
             "constraintlab:stream_tokens_total", "constraintlab:stream_events_total",
             "vllm:time_to_first_token_seconds_count", "vllm:inter_token_latency_seconds_count",
             "vllm:e2e_request_latency_seconds_count", "vllm:request_queue_time_seconds_count",
             'vllm:request_success_total{finished_reason="length"}',
             'constraintlab:streams_ended_total{reason="finished"}')  # fmt: skip
    before = [server.metric(n) for n in names]
    server.stream(prompt="😀", max_tokens=8)
    said(server, " babab", 3)
    after = [server.metric(n) for n in names]
    grown = [b - a for a, b in zip(before, after, strict=True)]
    assert grown == [5, 11, 8, 2, 2, 9, 2, 2, 2, 1]
    assert server.metric("vllm:num_requests_running") == 0
    assert server.metric("vllm:kv_cache_usage_perc") == 0
    assert server.metric('constraintlab:host_seconds_total{stage="frame"}') > 0
    assert server.metric("constraintlab:slots") == 64


def test_bytes_on_the_wire_are_those_that_a_reader_gets():
    with serving() as server:
        link = server.open(prompt="a", max_tokens=50)
        data = b""
        while not data.endswith(b"\r\n0\r\n\r\n"):
            data += link.recv(1 << 16)
        link.close()
        body = data.split(b"\r\n\r\n", 1)[1]
        assert server.metric("constraintlab:stream_bytes_total") == len(body) - len(b"0\r\n\r\n")


def test_gauges_fall_back_when_the_last_request_is_cancelled():
    with serving(server_setup()) as server:
        link = server.open(prompt="a", max_tokens=5000)
        assert wait_for(lambda: server.front.engine_now()[0] == 1)
        assert server.front.engine_now()[2][1] > 0
        link.close()
        assert wait_for(lambda: server.front.engine_now()[::2] == (0, (32000, 0, 0)))


def test_many_at_once_get_their_own_texts(server):
    def ask(i):
        prompt = [256 + i, 400 + i, 72]
        n = 1 + i % 40
        whole, found = said(server, prompt, n), server.stream(prompt=prompt, max_tokens=n)
        return whole["choices"][0]["text"] == "".join(texts(found)) != ""

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(64)))


def test_a_long_prompt_is_encoded_beside_the_streams(server):
    text = " babab" * 20_000
    assert said(server, text, 2)["usage"]["prompt_tokens"] == 20_000
