"""`make gpu`: `python -m constraintlab.gpu [--dry-run] [--out FOLDER] [--only PART …]`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from constraintlab.gpu.here import NO_GPU
from constraintlab.gpu.machine import facts, usable
from constraintlab.gpu.plan import LIMIT, PARTS
from constraintlab.gpu.result import DRY_NAME, NAME, Result
from constraintlab.gpu.runner import play


def folder(asked: str | None, dry: bool) -> Path:
    """Where the files go: `--out`, else $OUT, else a folder here; a dry run's always elsewhere."""
    base = asked or os.environ.get("OUT")
    if not dry:
        return Path(base or "gpu-results")
    return Path(base, "dry-run") if base else Path("gpu-dry-run")


def arguments(words: list[str] | None) -> argparse.Namespace:
    parse = argparse.ArgumentParser(prog="make gpu", description=__doc__)
    parse.add_argument("--dry-run", action="store_true", help="the same parts, tiny, on the CPU")
    parse.add_argument("--out", help="folder for the results; else $OUT, else gpu-results")
    parse.add_argument("--only", action="append", choices=PARTS, metavar="PART",
                       help=f"one of {', '.join(PARTS)}; may be given again")  # fmt: skip
    parse.add_argument("--onto", help="an earlier run's file whose other parts are kept; else the "
                       "one in the folder, with --only")  # fmt: skip
    parse.add_argument("--seconds", type=float, default=LIMIT, help="for all parts together")
    return parse.parse_args(words)


def earlier(asked: argparse.Namespace, result: Result) -> Path | None:
    """The file whose other parts are kept: what was named, or with --only what lies there."""
    there = result.folder / (DRY_NAME if result.dry else NAME)
    if asked.onto:
        return Path(asked.onto)
    return there if asked.only and there.exists() else None


def main(words: list[str] | None = None) -> int:
    """0 where every part ran or said why it can't; 1 where one failed; 2 without torch, or
    where an earlier run's file can't be gone on from."""
    asked = arguments(words)
    if not find_spec("torch"):
        print("make gpu needs torch, and this Python has none: name another, make gpu PYTHON=…")
        return 2
    found = "" if asked.dry_run else usable()
    dry = asked.dry_run or bool(found)
    if found:
        print(f"{found}: this is a dry run, at tiny sizes on the CPU", flush=True)
    result = Result(
        folder(asked.out, dry), facts("cpu" if dry else "cuda"), dry,
        datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    before = earlier(asked, result)
    if before is not None:
        try:
            result.go_on_from(before, asked.only or PARTS)
        except (ValueError, OSError) as error:
            print(f"make gpu: {error}", flush=True)
            return 2
    print(f"{result.label}; {NO_GPU if dry else result.machine}", flush=True)
    with tempfile.TemporaryDirectory(prefix="constraintlab-gpu-") as scratch:
        play(
            asked.only or PARTS, result, Path(scratch), "cpu" if dry else "cuda",
            lambda line: print(line, flush=True), limit=asked.seconds,
        )  # fmt: skip
    print(f"{result.label}: {result.write()}", flush=True)
    if not dry:
        print(f"To ship it: copy {NAME} to data/gpu/, then `make claims`", flush=True)
    return int(result.failed)


if __name__ == "__main__":
    sys.exit(main())
