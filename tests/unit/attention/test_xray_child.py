"""X-rays compile in processes of their own: what ends one, and what is kept of the others."""

import _thread
import re
import signal
import sys
import threading
import time

import psutil
import pytest

if sys.platform != "linux":
    pytest.skip("there is no Triton for this system", allow_module_level=True)

from constraintlab.attention.target import Target
from constraintlab.attention.xray import XrayError, compile, kept, xray, xrays
from constraintlab.attention.xray.errors import cause, ended
from constraintlab.attention.xray.job import Job

from . import small_kernels as kernels
from .interpreted import interpreted

pytestmark = pytest.mark.long


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """Nothing was kept before."""
    monkeypatch.setattr(kept, "folder", lambda: tmp_path / "kept")
    return tmp_path / "kept"


CALLING = kernels.target(kernels.calling_kernel)


def children(monkeypatch):
    """How often a process is started from now on, as a list that grows."""
    started, start = [], compile._start

    def counted(folder, part):
        started.append(list(part))
        return start(folder, part)

    monkeypatch.setattr(compile, "_start", counted)
    return started


def test_a_kernel_that_ends_the_compiler_is_one_error_and_the_others_are_kept(monkeypatch, fresh):
    monkeypatch.setattr(compile.cgroup, "cores", lambda: 1.0)
    wanted = [(kernels.target(kernels.fatal_kernel), "sm_80"), (CALLING, "sm_80")]
    with pytest.raises(XrayError) as raised:
        xrays(wanted)
    assert str(raised.value) == (
        "fatal_kernel does not compile for sm_80: the compiler ended with status 1; its last "
        "words: error: couldn't allocate output register for constraint 'y'"
    )
    started = children(monkeypatch)
    assert xray(*wanted[1]).registers > 0 and started == []


def test_a_second_look_starts_no_process_and_sees_the_same(monkeypatch):
    first = xray(CALLING, "sm_80")
    started = children(monkeypatch)
    assert xray(CALLING, "sm_80") == first and started == []


def test_only_so_many_are_kept_and_one_that_was_cut_off_is_none(monkeypatch, fresh):
    job = Job.of(CALLING, 80)
    seen = compile.compiled([job])[0]
    assert kept.load(job) == seen
    (file,) = fresh.iterdir()
    file.write_bytes(file.read_bytes()[:200])
    assert kept.load(job) is None
    monkeypatch.setattr(kept, "MOST", 3)
    for n in (128, 256, 512, 1024, 2048):
        kept.store(Job.of(kernels.target(kernels.plain_kernel, n), 90), seen)
    assert len(list(fresh.iterdir())) == 3


def test_what_may_change_a_reading_changes_its_key(monkeypatch):
    job = Job.of(kernels.target(kernels.plain_kernel), 80)
    keys = {
        job.key,
        Job.of(kernels.target(kernels.plain_kernel, 64), 80).key,
        Job.of(kernels.target(kernels.plain_kernel), 90).key,
        Job.of(kernels.target(kernels.calling_kernel), 80).key,
    }
    monkeypatch.setenv("PTXAS_OPTIONS", "-O1")
    assert len({*keys, job.key}) == 5
    monkeypatch.setattr(kernels, "HALF", kernels.tl.constexpr(0.25))
    assert Job.of(kernels.target(kernels.calling_kernel), 80).key not in keys


def test_a_kernel_that_uses_another_module_is_not_kept(monkeypatch):
    """Its code could change there without changing here."""
    monkeypatch.setitem(kernels.plain_kernel.fn.__globals__, "tl", sys.modules[__name__])
    assert Job.of(kernels.target(kernels.plain_kernel), 80).key is None


@pytest.fixture
def slow_ptxas(monkeypatch, tmp_path):
    """A ptxas that takes a minute; the file says its process."""
    path, pid = tmp_path / "ptxas", tmp_path / "pid"
    waits = f"case $1 in --version) echo release 13.0;; *) echo $$ > {pid}; exec sleep 60;; esac"
    path.write_text(f"#!/bin/sh\n{waits}\n")
    path.chmod(0o755)
    monkeypatch.setenv("TRITON_PTXAS_PATH", str(path))
    return pid


def gone(pid):
    number = int(pid.read_text())
    return not psutil.pid_exists(number) or psutil.Process(number).status() == "zombie"


def test_a_compiler_that_takes_too_long_is_stopped(slow_ptxas):
    with pytest.raises(XrayError, match=r"the compiler was stopped after 0.5 s"):
        compile.compiled([Job.of(CALLING, 90)], patience=0.5)


def test_whoever_interrupts_a_cell_waits_neither_for_the_compiler_nor_its_ptxas(slow_ptxas):
    def interrupt():
        while not slow_ptxas.exists():
            time.sleep(0.02)
        _thread.interrupt_main(signal.SIGINT)

    # Whoever starts the tests in the background has them ignore SIGINT.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            xray(CALLING, "sm_90")
    finally:
        signal.signal(signal.SIGINT, before)
    time.sleep(0.1)
    assert gone(slow_ptxas)


def test_an_ending_is_told_with_the_last_words_that_name_a_cause():
    stack = "PLEASE submit a bug report\nStack dump:\n0. Running pass\n #1 0x00 libtriton\n"
    said = ended(-signal.SIGABRT, f"LLVM ERROR: Cannot select\n{stack}", 1)
    assert said == "the compiler was ended by SIGABRT; its last words: LLVM ERROR: Cannot select"
    assert "memory runs out" in ended(-signal.SIGKILL, "", 1)
    assert ended(3, "one\ntwo\nthree\nfour\n", 1).endswith("its last words: two three four")
    assert ended(None, stack, 9) == (
        "the compiler was stopped after 9 s (a smaller tile takes seconds); it said nothing"
    )


def test_the_reason_is_what_ptxas_said_and_not_what_triton_wrapped_it_in():
    inner = ValueError("Repro command: /x\nptxas fatal   : (C7602) Insufficient registers\nmore")
    outer = RuntimeError("Internal Triton error")
    outer.__cause__ = inner
    assert cause(outer) == "ValueError: ptxas fatal   : (C7602) Insufficient registers"
    mlir = cause(RuntimeError("PassManager::run failed"), "k.py:3:1: error: no such layout\n")
    assert mlir == "RuntimeError: k.py:3:1: error: no such layout"


REFUSED = {
    r"nowhere is not defined.*, in `tl.store\(at, tl.load\(at\) \+ nowhere\)": kernels.target(
        kernels.unknown_name_kernel
    ),
    r"PTXASError: error +: Not a name .*blurb": kernels.target(kernels.bad_assembly_kernel),
    r"power of 2.*, in `at = x_ptr \+ tl.arange": kernels.target(kernels.plain_kernel, 100),
}


@pytest.fixture(scope="module")
def refused():
    return compile._made([Job.of(target, 80) for target in REFUSED.values()], 60)


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_a_kernel_that_does_not_compile_is_one_line_that_names_the_cause(refused, number):
    said = refused[number]
    assert re.search(list(REFUSED)[number], said)
    assert len(said.splitlines()) == 1 and len(said) < 300


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (kernels.target(len), r"is no kernel: .*@triton\.jit"),
        (Target(kernels.plain_kernel, {}, {"N": 128}), r"no type or value for x_ptr"),
    ],
)
def test_a_target_that_describes_no_kernel_is_refused(target, says):
    with pytest.raises(XrayError, match=says):
        xray(target, "sm_80")


def test_without_triton_the_error_says_where_it_is_to_be_had(monkeypatch):
    monkeypatch.setattr(compile, "find_spec", lambda name: None)
    with pytest.raises(XrayError, match=r"needs Triton.*Linux on x86-64.*pip install triton"):
        compile.compiled([Job.of(kernels.target(kernels.plain_kernel, 16), 80)])


def test_a_kernel_that_was_loaded_for_the_interpreter_is_compiled_all_the_same():
    ran, there = interpreted(kernels.ran_and_read)
    assert ran == "InterpretedFunction" and there == xray(CALLING, "sm_80").as_dict()
