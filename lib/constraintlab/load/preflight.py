"""Before a run: is there a server, does it have the model, how does it count tokens?

Whatever is wrong becomes one line that names the fix.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from random import Random
from urllib.parse import urlsplit

import aiohttp

from constraintlab.load import chunks
from constraintlab.load.ask import Ask
from constraintlab.load.target import Target
from constraintlab.load.text import KINDS, Text

PATIENCE = 30.0
"""Seconds that an answer may take before a run."""

UNITS = (8, 40)
"""Words of two short prompts: the difference between their tokens leaves out a chat's template."""


class Trouble(ValueError):
    """The run can't begin; the message says what to do."""


@dataclass(frozen=True)
class Model:
    """As the server lists it. room: tokens that a request may have, None if it does not say."""

    name: str
    room: int | None = None


def address(url: str) -> str:
    """`http://host:port` of what somebody typed; an API's path on it is cut off."""
    if "://" not in url:
        url = f"http://{url}"
    for tail in ("/", "/chat/completions", "/completions", "/v1", "/"):
        url = url.removesuffix(tail)
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        fine = fine and url.isprintable() and " " not in url
    except ValueError:
        fine = False
    if not fine:
        raise Trouble(f"{url} is no address: give one like http://127.0.0.1:8000")
    return url


async def model(url: str, wanted: str | None = None, key: str | None = None) -> Model:
    """The model to ask for: the one named, or the only one there is."""
    status, body = await _call("GET", f"{url}/v1/models", key)
    _authorised(status, key, url)
    try:
        listed = [Model(m["id"], m.get("max_model_len")) for m in json.loads(body)["data"]]
    except (ValueError, KeyError, TypeError):
        listed = []
    if status != 200 or not listed:
        raise Trouble(f"{url}/v1/models answered {status} and lists no model: that is no OpenAI "
                      "API, give the address of one")  # fmt: skip
    names = [m.name for m in listed]
    if wanted is None and len(listed) > 1:
        raise Trouble(f"{url} serves {', '.join(names)}: choose one with --model")
    if wanted is not None and wanted not in names:
        raise Trouble(f"{url} has no model {wanted!r}: use --model {' or '.join(names)}")
    return listed[0] if wanted is None else listed[names.index(wanted)]


async def text(target: Target) -> Text:
    """Words or digits, whichever the model takes, and how many tokens the server counts for one."""
    why = ""
    for kind in KINDS:
        try:
            few, many = [await _prompt_tokens(target, Text(kind), n) for n in UNITS]
        except Trouble as trouble:
            why = why or str(trouble)
            continue
        ratio = (many - few) / (UNITS[1] - UNITS[0])
        return Text(kind, ratio) if ratio > 0 else Text(kind)
    raise Trouble(why)


async def _prompt_tokens(target: Target, text: Text, units: int) -> int:
    ask = Ask(0, 0.0, text.make(units, Random(units)), 1)
    single = {"stream": False, "stream_options": None}
    said = json.loads(replace(target, extra={**target.extra, **single}).body(ask))
    del said["stream_options"]
    status, body = await _call("POST", target.endpoint, target.key, said)
    _authorised(status, target.key, target.url)
    if status != 200:
        raise Trouble(
            f"{target.endpoint} answered {status}: {chunks.complaint(body)}{_hint(status)}"
        )
    try:
        return int(json.loads(body)["usage"]["prompt_tokens"])
    except (ValueError, KeyError, TypeError):
        return 0


def _hint(status: int) -> str:
    return " (is --chat what this model needs, or not?)" if status in (400, 404, 422) else ""


def _authorised(status: int, key: str | None, url: str) -> None:
    if status in (401, 403):
        fix = "another key with --key" if key else "its key with --key, or set OPENAI_API_KEY"
        raise Trouble(f"{url} answered {status}: give {fix}")


async def _call(
    method: str, url: str, key: str | None, said: dict | None = None
) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    patience = aiohttp.ClientTimeout(total=PATIENCE)
    try:
        async with (
            aiohttp.ClientSession(timeout=patience) as session,
            session.request(method, url, json=said, headers=headers) as answer,
        ):
            return answer.status, await answer.content.read(1 << 20)
    except aiohttp.ClientConnectorDNSError:
        raise Trouble(f"the host of {url} is unknown: check its name") from None
    except aiohttp.ClientConnectorError as error:
        why = os.strerror(error.os_error.errno or 0).lower()
        raise Trouble(f"can't connect to {_origin(url)} ({why}): start a server, e.g. "
                      "`constraintlab serve`, or check the port") from None  # fmt: skip
    except TimeoutError:
        raise Trouble(f"{_origin(url)} has not answered in {PATIENCE:g} s: is the server "
                      "overloaded, or is it another port?") from None  # fmt: skip
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Trouble(f"{_origin(url)} does not speak HTTP as an API does ({error}): check the "
                      "port, and http against https") from None  # fmt: skip


def _origin(url: str) -> str:
    return url.partition("/v1/")[0]
