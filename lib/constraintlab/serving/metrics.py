"""/metrics: vLLM's names with vLLM's meanings, and our own for what a front end does to tokens."""

from __future__ import annotations

CONTENT_TYPE = "text/plain; version=0.0.4"


def exposition(front) -> bytes:
    return b""
