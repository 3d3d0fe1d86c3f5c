"""schemathesis makes requests from the server's own description: none of them may be a 5xx."""

import pytest

from constraintlab.engine.setup import Setup
from constraintlab.serving.launch import Server

from .conftest import need

SETUP = Setup(model="stub", blocks=200, slots=16, tokens=512, max_length=400)


@pytest.fixture(scope="module")
def server():
    with Server(SETUP, grace=0.5) as found:
        yield found


@pytest.fixture(scope="module")
def schema(server):
    need("schemathesis")
    import schemathesis

    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


def cases(schema, mode, n, methods=frozenset({"get", "post"})):
    """Every operation's own strategy, run n times; a GET without parameters can't be wrong."""
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings

    generation = getattr(schemathesis.GenerationMode, mode)
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.method not in methods:
            continue
        checked: list[int] = []

        @given(case=operation.as_strategy(generation_mode=generation))
        @settings(
            max_examples=n,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
            database=None,
            derandomize=True,
        )
        def run(case, note):
            response = case.call()
            note(response.status_code)
            yes = response.status_code < 500
            assert yes, f"{case.as_curl_command()}: {response.status_code} {response.text}"

        run(note=checked.append)
        yield operation, checked


def test_the_description_has_every_path(schema):
    paths = {operation.ok().path for operation in schema.get_all_operations()}
    assert paths == {
        "/v1/completions", "/v1/chat/completions", "/v1/models", "/v1/models/{name}",
        "/health", "/metrics",
    }  # fmt: skip


def test_requests_by_the_description_are_never_a_5xx_and_some_are_answered(schema):
    for operation, statuses in cases(schema, "POSITIVE", 100):
        assert 200 in statuses or "{name}" in operation.path, (operation.label, set(statuses))


def test_requests_against_the_description_are_4xx(schema):
    for operation, statuses in cases(schema, "NEGATIVE", 100, methods={"post"}):
        assert statuses.count(400) > len(statuses) * 0.8, (operation.label, statuses)


def test_the_server_is_well_after_all_of_that(server):
    import json
    import urllib.request

    with urllib.request.urlopen(f"{server.url}/health") as reply:
        assert json.loads(reply.read())["status"] == "ok"
