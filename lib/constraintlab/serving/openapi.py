"""/openapi.json: the interface as OpenAPI 3.1, from the types that requests are checked by."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec

from constraintlab.engine.ledger import CAUSES
from constraintlab.serving.schema import ChatRequest, CompletionRequest

ERRORS = {
    "400": "The request is not one that this server takes.",
    "401": "The API key is missing or wrong.",
    "404": "There is no such model.",
    "408": "The request did not arrive in time.",
    "413": "The body is too long.",
    "429": "Too many requests are open; Retry-After says when to try again.",
    "503": "The engine is gone, or the server shuts down.",
}
TIMINGS = {
    "timings": "Where the time from the request's arrival at the engine to its end went.",
    "timings_to_first_token": "The same up to its first token.",
}
"""Also in the last chunk of a stream whose request had `stream_options.include_usage`."""

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}


@cache
def description() -> dict[str, Any]:
    """The whole document."""
    kinds = (CompletionRequest, ChatRequest)
    _, components = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    components["Error"] = _object(
        error=_object(
            message=TEXT,
            type=TEXT,
            param={"type": ["string", "null"]},
            code={"type": ["string", "integer", "null"]},
        )
    )
    components["Answer"] = _object(
        id=TEXT,
        object=TEXT,
        created=NUMBER,
        model=TEXT,
        choices={"type": "array", "items": {"type": "object"}},
        usage=_object(prompt_tokens=NUMBER, completion_tokens=NUMBER, total_tokens=NUMBER),
    )
    components["Timings"] = _timings()
    for field, what in TIMINGS.items():
        said = {"description": what, "allOf": [_ref("Timings")]}
        components["Answer"]["properties"][field] = said
    model = _object(id=TEXT, object=TEXT, created=NUMBER, owned_by=TEXT, max_model_len=NUMBER)
    models = _object(object=TEXT, data={"type": "array", "items": model})
    name = {"name": "name", "in": "path", "required": True, "schema": TEXT}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Constraint Lab", "version": version("constraintlab")},
        "paths": {
            "/v1/completions": _post("CompletionRequest", "Go on with a prompt."),
            "/v1/chat/completions": _post("ChatRequest", "Answer a conversation."),
            "/v1/models": {"get": _get("What is served.", models, "401")},
            "/v1/models/{name}": {
                "parameters": [name],
                "get": _get("The model of this name.", model, "401", "404"),
            },
            "/health": {"get": _get("Whether requests are taken.", {"type": "object"}, "503")},
            "/metrics": {
                "get": {
                    "summary": "Prometheus' text.",
                    "responses": {"200": {"description": "It.", "content": {"text/plain": {}}}},
                }
            },
        },
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _object(**properties: dict) -> dict:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _timings() -> dict:
    """Milliseconds by cause; a cause that cost nothing may be left out."""
    causes = {
        cause: {"type": "number", "minimum": 0, "description": f"Milliseconds: {words}."}
        for cause, words in CAUSES.items()
    }
    return {"type": "object", "properties": causes, "additionalProperties": False}


def _content(schema: dict) -> dict:
    return {"application/json": {"schema": schema}}


def _ref(name: str) -> dict:
    return {"$ref": f"#/components/schemas/{name}"}


def _failures(*codes: str) -> dict:
    return {c: {"description": ERRORS[c], "content": _content(_ref("Error"))} for c in codes}


def _get(summary: str, schema: dict, *codes: str) -> dict:
    # /health says why it is not well in its own shape.
    failed = _failures(*(c for c in codes if c != "503"))
    failed |= {c: {"description": ERRORS[c]} for c in codes if c == "503"}
    good = {"200": {"description": "It.", "content": _content(schema)}}
    return {"summary": summary, "responses": good | failed}


def _post(kind: str, summary: str) -> dict:
    answer = _content(_ref("Answer")) | {"text/event-stream": {"schema": TEXT}}
    good = {"200": {"description": "The answer, or its events.", "content": answer}}
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": _content(_ref(kind))},
            "responses": good | _failures(*ERRORS),
        }
    }
