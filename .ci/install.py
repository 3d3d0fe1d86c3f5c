"""Make or refresh .venv: `python .ci/install.py [test]`. Standard library only.

Safe to interrupt and to repeat: a finished install leaves a stamp of all that went into it,
and when nothing changed the next run ends at once. Nothing is ever built from source.
With `--here` it installs into the Python that runs it: an image has no use for a .venv.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
BIN = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin")
PYTHON = os.path.join(BIN, "python")
CONSTRAINTS = os.path.join(ROOT, ".ci", "constraints.txt")
NEWEST_FIRST = ("python3.13", "python3.12", "python3.11")
OLDEST = (3, 11)


def stop(message):
    """One line that names the fix, and out."""
    sys.exit("constraintlab: " + message)


def say(message):
    print("constraintlab: " + message, flush=True)


def good_python(version, which):
    """None when `version` will do, else another interpreter's path, else an error."""
    if tuple(version) >= OLDEST:
        return None
    for name in NEWEST_FIRST:
        if which(name):
            return which(name)
    stop(
        "Python 3.11 or newer is needed and this is %d.%d. Install one (for example "
        "`apt install python3.11 python3.11-venv`, or `brew install python@3.12`), "
        "or name it: make lab PYTHON=/path/to/python3.12" % tuple(version[:2])
    )


def has_nvidia_gpu(exists=os.path.exists, which=shutil.which):
    """Whether an NVIDIA driver is loaded here; asks the system, imports nothing."""
    return (
        exists("/dev/nvidia0")
        or exists("/proc/driver/nvidia/version")
        or (os.name == "nt" and which("nvidia-smi") is not None)
    )


def torch_command(version, drags_cuda, gpu, python=None):
    """How to install torch: pip's own choice, unless that brings CUDA to a machine without a GPU.

    uv knows where torch's CPU builds are; a mirror or a local file that pip finds comes first.
    """
    python = python or PYTHON
    if gpu or not drags_cuda:
        return [python, "-m", "pip", *PIP, "torch==" + version]
    return [
        python, "-m", "uv", "pip", "install", "-q", "--python", python, "--torch-backend", "cpu",
        "--only-binary", ":all:", "torch==" + version,
    ]  # fmt: skip


PIP = [
    "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:", "-c", CONSTRAINTS,
]  # fmt: skip


def drags_cuda(report):
    """Whether pip's dry-run report would install CUDA packages."""
    names = [item["metadata"]["name"].lower() for item in report["install"]]
    return any(n.startswith(("nvidia-", "cuda-")) and n != "nvidia-ml-py" for n in names)


def pinned(package, text):
    """The version that the constraints pin for `package`, e.g. `2.13.0`."""
    for line in text.splitlines():
        if line.startswith(package + "=="):
            return line.split("==")[1].split(";")[0].strip()
    stop(".ci/constraints.txt pins no %s: restore it with `git checkout .ci`" % package)


def fingerprint(extras, parts):
    """What an install depends on: the files' content, the Python, the extras."""
    whole = hashlib.sha256(repr(sorted(extras)).encode())
    for part in parts:
        whole.update(part)
    return whole.hexdigest()


def run(command, why, **options):
    """Run a step; when it fails, say which and how to look closer."""
    done = subprocess.run(command, **options)
    if done.returncode:
        stop(
            "%s failed (see above). Check the network or your pip settings, then run the same "
            "command again: it goes on where it stopped." % why
        )
    return done


def make_venv():
    """A .venv whose pip works; a half-made one is made again."""
    if os.path.exists(PYTHON):
        probe = [PYTHON, "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"]
        if subprocess.run(probe, stderr=subprocess.DEVNULL).returncode == 0:
            return
        say(".venv is incomplete, making it again")
    say("creating .venv with Python %d.%d" % sys.version_info[:2])
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, text=True
    )
    if made.returncode:
        last = (made.stdout + made.stderr).strip().splitlines()[-1:]
        stop(
            "can't create .venv (%s). If venv or ensurepip is missing: `apt install python3-venv`; "
            "if this folder is read-only: clone where you can write." % " ".join(last)
        )


def install_torch(text):
    version = pinned("torch", text)
    have = subprocess.run(
        [PYTHON, "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True
    )
    if have.returncode == 0 and have.stdout.strip().split("+")[0] == version:
        return
    gpu = has_nvidia_gpu()
    say("torch %s, %s" % (version, "with CUDA" if gpu else "without CUDA: no NVIDIA GPU here"))
    dry = [PYTHON, "-m", "pip", *PIP, "--dry-run", "--report", "-", "torch==" + version]
    report = subprocess.run(dry, capture_output=True, text=True)
    cuda = report.returncode != 0 or drags_cuda(json.loads(report.stdout))
    if cuda and not gpu:
        run([PYTHON, "-m", "pip", *PIP, "uv"], "installing uv")
    run(torch_command(version, cuda, gpu), "installing torch")


def wanted(extras):
    """The requirements of pyproject.toml, with those of the extras."""
    import tomllib

    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        project = tomllib.load(file)["project"]
    found = list(project["dependencies"])
    for extra in extras:
        found += project["optional-dependencies"][extra]
    return found


def quiet_jupyter():
    """No news pop-up and no call home when JupyterLab starts."""
    folder = os.path.join(VENV, "etc", "jupyter", "labconfig")
    os.makedirs(folder, exist_ok=True)
    off = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    with open(os.path.join(folder, "page_config.json"), "w") as file:
        json.dump(off, file)


def install_here():
    """This very Python in the .venv's place."""
    global VENV, PYTHON
    VENV, PYTHON = sys.prefix, sys.executable


def main(extras):
    better = good_python(sys.version_info, shutil.which)
    if better:
        os.execv(better, [better, os.path.abspath(__file__), *extras])
    if "--here" in extras:
        extras = [extra for extra in extras if extra != "--here"]
        install_here()
    files = [CONSTRAINTS, os.path.join(ROOT, "pyproject.toml"), os.path.abspath(__file__)]
    parts = []
    for path in files:
        with open(path, "rb") as file:
            parts.append(file.read())
    mark = fingerprint(extras, [*parts, VENV.encode()])
    stamp = os.path.join(VENV, "installed-%s" % ("-".join(extras) or "labs"))
    if os.path.exists(stamp) and os.path.exists(PYTHON):
        with open(stamp) as file:
            if file.read() == mark:
                return
    began = time.time()
    make_venv()
    install_torch(parts[0].decode())
    say("the rest: %s" % ("JupyterLab, kernels, charts" + (" and test tools" if extras else "")))
    run([PYTHON, "-m", "pip", *PIP, "setuptools", *wanted(extras)], "installing packages")
    own = ["install", "-q", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    run([PYTHON, "-m", "pip", *own, "-e", ROOT], "installing constraintlab itself")
    quiet_jupyter()
    with open(stamp, "w") as file:
        file.write(mark)
    say("ready after %.0f s" % (time.time() - began))


if __name__ == "__main__":
    main(sys.argv[1:])
