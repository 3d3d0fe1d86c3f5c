"""Is there a server, does it show metrics, are they ours, vLLM's or SGLang's?

Whatever is wrong becomes one line that names the fix.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.error import HTTPError, URLError

from constraintlab.load.preflight import Trouble, address
from constraintlab.telemetry.exposition import Scrape
from constraintlab.watch.looks import FAMILIES, Looker

METRICS = "/metrics"


@dataclass(frozen=True)
class Place:
    """metrics: the URL of the metrics; api: of the server that answers requests."""

    metrics: str
    api: str


def place(url: str) -> Place:
    """From what somebody typed: a server, its API, or its metrics. Trouble for no address."""
    if url.rstrip("/").endswith(METRICS):
        api = address(url.rstrip("/").removesuffix(METRICS))
        return Place(api + METRICS, api)
    api = address(url)
    return Place(api + METRICS, api)


def check(looker: Looker) -> None:
    """The looker's first scrape. Raises Trouble where it can't be had."""
    url, fetch, timeout = looker.url, looker.fetch, looker.timeout
    origin = url.removesuffix(METRICS)
    try:
        text = fetch(url, timeout)
    except HTTPError as error:
        raise Trouble(_refused(url, error.code)) from None
    except (TimeoutError, URLError, OSError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, TimeoutError):
            raise Trouble(f"{origin} has not answered in {timeout:g} s: is it overloaded, or is it "
                          "another port? --timeout waits longer") from None  # fmt: skip
        why = getattr(reason, "strerror", None) or str(reason)
        raise Trouble(f"can't connect to {origin} ({why.lower()}): is it running, and are host and "
                      "port right?") from None  # fmt: skip
    except ValueError as error:
        raise Trouble(f"{url} sends what is no text ({error}): give the server's address") from None
    if text.lstrip()[:1] == "<":
        raise Trouble(
            f"{url} is a web page and no metrics: give the inference server's own address, not "
            "that of a dashboard, or of a proxy that asks to log in"
        )
    try:
        scrape = Scrape.of(text, looker.clock())
    except ValueError as error:
        raise Trouble(f"{url} is not in Prometheus' format ({_line(error)}): give the address "
                      "of a vLLM, SGLang or constraintlab server") from None  # fmt: skip
    names = scrape.declared | scrape.series.keys()
    if not any(n.startswith(tuple(FAMILIES.values())) for n in names):
        found = ", ".join(sorted(names)[:3]) or "nothing"
        raise Trouble(f"{url} shows no metric of vLLM, SGLang or constraintlab (but {found} …): "
                      "is it the server's own port? SGLang needs --enable-metrics")  # fmt: skip
    looker.last = scrape


def _refused(url: str, code: int) -> str:
    if code in (401, 403):
        return f"{url} answered {code}: give its key with --key, or set OPENAI_API_KEY"
    if code == 404:
        return (f"{url} answered 404, so there are no metrics: start SGLang with --enable-metrics; "
                "where they are elsewhere, give their whole URL")  # fmt: skip
    return f"{url} answered {code}: look at the server's log"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:100]
