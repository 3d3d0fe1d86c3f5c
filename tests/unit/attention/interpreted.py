"""The Triton rungs under Triton's interpreter, in a process of its own.

TRITON_INTERPRET counts when a kernel is decorated, and Triton's own library has kernels too
(tl.max, tl.zeros), so one process has either the interpreter or the compiler. The tests' own
process keeps the compiler, which x-rays need; this one worker has the interpreter. Tensors
reach it in shared memory: their strides arrive, and what it wrote to an input would be seen.
"""

import importlib
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import cache


def call(module, function, *args, **options):
    """constraintlab.attention.`module`.`function`(*args, **options), interpreted."""
    return interpreted(_run, module, function, args, options)


def interpreted(function, *args):
    """function(*args) where the interpreter is; the function and all else must be importable."""
    return _worker().submit(function, *args).result()


@cache
def _worker():
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=spawn, initializer=_interpret)


def _interpret():
    os.environ["TRITON_INTERPRET"] = "1"
    import torch

    torch.set_num_threads(1)


def _run(module, function, args, options):
    rung = importlib.import_module(f"constraintlab.attention.{module}")
    return getattr(rung, function)(*args, **options)
