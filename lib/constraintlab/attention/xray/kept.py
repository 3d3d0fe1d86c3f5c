"""Readings of kernels that were compiled before, so that a second look costs milliseconds."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from pathlib import Path

from constraintlab.attention.xray.job import Job, Reading
from constraintlab.limits.home import home

MOST = 256
"""Readings that are kept, some 20 KB each; the oldest go."""


def folder() -> Path:
    """Where they are, in the learner's home."""
    return home().path / "xray" / "kept"


def load(job: Job) -> Reading | None:
    """The reading of an equal job, if one was kept and can be read."""
    key = job.key
    if key is None:
        return None
    try:
        return Reading.of(json.loads(gzip.decompress((folder() / key).read_bytes())))
    except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error):
        return None  # never kept, or written by another version, or cut off: compile it


def store(job: Job, reading: Reading) -> None:
    """Keep it; a home that can't be written costs time later and nothing else."""
    key = job.key
    if key is None:
        return
    packed = gzip.compress(json.dumps(reading.as_dict()).encode(), compresslevel=3)
    part = folder() / f"{key}.{os.getpid()}"
    try:
        folder().mkdir(parents=True, exist_ok=True)
        part.write_bytes(packed)
        part.replace(folder() / key)
        for old in sorted(folder().iterdir(), key=lambda p: p.stat().st_mtime)[:-MOST]:
            old.unlink(missing_ok=True)
    except OSError:
        part.unlink(missing_ok=True)
