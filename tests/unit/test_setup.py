"""What `make lab` installs and where from, decided without installing anything."""

import importlib.util
import json
import math
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = (ROOT / ".ci" / "constraints.txt").read_text()
RUNTIME = [Requirement(r) for r in PROJECT["dependencies"]]
TEST = [Requirement(r) for r in PROJECT["optional-dependencies"]["test"]]
IN_CI = ("peers", "cluster", "hub")
EXTRAS = [Requirement(r) for extra in IN_CI for r in PROJECT["optional-dependencies"][extra]]


@pytest.fixture
def install():
    """.ci/install.py as a module of its own, so that a test may change its globals."""
    spec = importlib.util.spec_from_file_location("installer", ROOT / ".ci" / "install.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def nowhere(name):
    return None


def test_a_python_new_enough_is_used_as_it_is(install):
    assert install.good_python((3, 11, 0), nowhere) is None
    assert install.good_python((3, 14, 1), nowhere) is None


def test_an_old_python_hands_over_to_the_newest_that_is_installed(install):
    there = {"python3.11": "/bin/python3.11", "python3.12": "/bin/python3.12"}
    assert install.good_python((3, 9, 2), there.get) == "/bin/python3.12"


def test_an_old_python_alone_is_told_what_to_install(install):
    with pytest.raises(SystemExit) as stopped:
        install.good_python((3, 9, 2), nowhere)
    said = str(stopped.value)
    assert "3.11 or newer" in said and "this is 3.9" in said
    assert "apt install" in said and "brew install" in said and "make lab PYTHON=" in said


def test_the_installer_parses_on_an_old_python():
    import ast

    ast.parse((ROOT / ".ci" / "install.py").read_text(), feature_version=(3, 6))


@pytest.mark.parametrize("there", ["/dev/nvidia0", "/proc/driver/nvidia/version"])
def test_a_loaded_driver_means_a_gpu(install, there):
    assert install.has_nvidia_gpu(lambda path: path == there, nowhere)


def test_no_driver_means_no_gpu(install, monkeypatch):
    assert not install.has_nvidia_gpu(lambda path: False, nowhere)
    # On Linux the tool alone says nothing: containers carry it without a device.
    assert not install.has_nvidia_gpu(lambda path: False, lambda name: "/bin/" + name)
    monkeypatch.setattr(install.os, "name", "nt")
    assert install.has_nvidia_gpu(lambda path: False, lambda name: "nvidia-smi.exe")


def report(*names):
    return {"install": [{"metadata": {"name": name}} for name in names]}


def test_what_counts_as_dragging_cuda_along(install):
    assert install.drags_cuda(report("torch", "nvidia-cublas"))
    assert install.drags_cuda(report("torch", "cuda-bindings"))
    assert not install.drags_cuda(report("torch", "sympy", "nvidia-ml-py", "NVIDIA-ML-py"))


@pytest.mark.parametrize(
    ("drags", "gpu", "with_uv"),
    [(True, False, True), (True, True, False), (False, False, False), (False, True, False)],
)
def test_torch_comes_without_cuda_where_there_is_no_gpu(install, drags, gpu, with_uv):
    command = install.torch_command("2.13.0", drags, gpu, python="py")
    assert command[0] == "py" and command[-1] == "torch==2.13.0"
    assert ("uv" in command) == with_uv
    assert with_uv == ("cpu" in command)


def test_nothing_is_ever_built_from_source(install):
    """Each pip or uv command asks for wheels only; only our own package is installed from here."""
    for gpu in (True, False):
        command = install.torch_command("2.13.0", True, gpu)
        assert command[command.index("--only-binary") + 1] == ":all:"
    assert install.PIP[install.PIP.index("--only-binary") + 1] == ":all:"
    text = (ROOT / ".ci" / "install.py").read_text()
    assert "--no-binary" not in text and text.count('"--no-build-isolation"') == 1
    assert "--no-deps" in text.split('"--no-build-isolation"')[0].splitlines()[-1]


def test_a_pin_is_read_without_its_marker(install):
    text = "torch==2.13.0\ntorchx==1.0\ntriton==3.7.1 ; sys_platform == 'linux'\n"
    assert install.pinned("torch", text) == "2.13.0"
    assert install.pinned("triton", text) == "3.7.1"
    with pytest.raises(SystemExit, match=r"git checkout \.ci"):
        install.pinned("numpy", text)


def test_ci_installs_the_extras_whose_tests_it_runs():
    assert f"CI_EXTRAS := {' '.join(IN_CI)}\n" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("wanted", [*RUNTIME, *TEST, *EXTRAS], ids=str)
def test_every_requirement_is_pinned_and_the_pin_satisfies_it(wanted):
    name = re.escape(wanted.name)
    versions = re.findall(rf"(?m)^{name}==([^\s;]+)", PINS)
    assert versions, f"{wanted.name} is not pinned in .ci/constraints.txt"
    assert all(wanted.specifier.contains(v) for v in versions)


def test_pins_name_no_file_or_address():
    lines = [line for line in PINS.splitlines() if not line.startswith("#")]
    assert all(re.match(r"[a-z0-9._-]+==[\w.+!]+( ;|$)", line) for line in lines)


def test_wanted_is_pyproject_with_the_extras(install):
    assert install.wanted([]) == PROJECT["dependencies"]
    assert install.wanted(["test"])[-len(TEST) :] == PROJECT["optional-dependencies"]["test"]
    assert not any("flash-attn" in r for r in install.wanted(["test"]))


def test_the_fingerprint_follows_every_part(install):
    one = install.fingerprint(["test"], [b"a", b"b"])
    assert one == install.fingerprint(["test"], [b"a", b"b"])
    others = ([], [b"a", b"b"]), (["test"], [b"a", b"c"]), (["test"], [b"a"])
    assert one not in {install.fingerprint(*other) for other in others}


@pytest.fixture
def fake_root(install, tmp_path, monkeypatch):
    """A clone without a .venv, whose installer notes each command instead of running it."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "constraints.txt").write_text(PINS)
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    venv = tmp_path / ".venv"
    ran = []

    def run(command, **options):
        ran.append(command)
        if "venv" in command:
            (venv / "bin").mkdir(parents=True)
            (venv / "bin" / "python").write_text("")
        missing = "import torch" in " ".join(command)
        return install.subprocess.CompletedProcess(command, int(missing), json.dumps(report()), "")

    for name, value in {
        "ROOT": tmp_path, "VENV": venv, "BIN": venv / "bin", "PYTHON": venv / "bin" / "python",
        "CONSTRAINTS": tmp_path / ".ci" / "constraints.txt",
    }.items():  # fmt: skip
        monkeypatch.setattr(install, name, str(value))
    monkeypatch.setattr(install.subprocess, "run", run)
    return ran


def test_the_second_run_starts_nothing_and_says_nothing(install, fake_root, capsys):
    install.main([])
    assert any("jupyterlab>=4.4" in command for command in fake_root)
    fake_root.clear()
    capsys.readouterr()
    install.main([])
    assert fake_root == [] and capsys.readouterr().out == ""


@pytest.mark.parametrize("changed", ["pyproject.toml", ".ci/constraints.txt"])
def test_a_changed_requirement_or_pin_installs_again(install, fake_root, changed):
    install.main([])
    fake_root.clear()
    with open(os.path.join(install.ROOT, changed), "a") as file:
        file.write("# changed\n")
    install.main([])
    assert any("jupyterlab>=4.4" in command for command in fake_root)


def test_labs_alone_do_not_stand_for_the_tests(install, fake_root):
    install.main([])
    fake_root.clear()
    install.main(["test"])
    assert any("pytest>=8.3" in command for command in fake_root)


def test_a_failed_step_leaves_no_stamp_and_names_the_way_on(install, fake_root, monkeypatch):
    before = install.subprocess.run

    def offline(command, **options):
        done = before(command, **options)
        done.returncode = int("setuptools" in command)
        return done

    monkeypatch.setattr(install.subprocess, "run", offline)
    with pytest.raises(SystemExit, match=r"installing packages failed .* run the same command"):
        install.main([])
    assert not list(Path(install.VENV).glob("installed-*"))


def test_a_venv_that_cannot_be_made_names_the_fix(install, fake_root, monkeypatch):
    def broken(command, **options):
        return install.subprocess.CompletedProcess(command, 1, "", "No module named ensurepip")

    monkeypatch.setattr(install.subprocess, "run", broken)
    with pytest.raises(SystemExit, match=r"ensurepip\).*apt install python3-venv"):
        install.main([])


ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
CONDA = {
    **{Requirement(_).name: _ for d in ENVIRONMENT["dependencies"] if isinstance(d, dict)
       for _ in d["pip"] if not _.startswith("-e")},
    **{re.match(r"[\w-]+", d)[0]: d for d in ENVIRONMENT["dependencies"] if isinstance(d, str)},
}  # fmt: skip


def lowest(text):
    """The least version that a line of environment.yml allows: after `>=`, `=` or `==`."""
    found = re.search(r"[>=]=?\s*([\d.]+)", text)
    return Version(found[1]) if found else None


@pytest.mark.parametrize("wanted", RUNTIME, ids=str)
def test_conda_users_get_every_runtime_dependency(wanted):
    others = {"torch": "pytorch", "prometheus-client": "prometheus_client"}
    name = others.get(wanted.name, wanted.name)
    assert name in CONDA, f"environment.yml lacks {name}"
    least = lowest(CONDA[name])
    assert least is not None and wanted.specifier.contains(least), (
        f"environment.yml allows {CONDA[name]}, pyproject wants {wanted}"
    )


def test_conda_users_install_this_package_and_no_flash_attn():
    pip = next(d["pip"] for d in ENVIRONMENT["dependencies"] if isinstance(d, dict))
    assert "-e ." in pip
    assert not any("flash" in str(d) for d in ENVIRONMENT["dependencies"])
    assert ENVIRONMENT["channels"] == ["conda-forge"]
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains("3.12")


def test_this_very_venv_is_python_3_11_or_newer():
    assert sys.version_info >= (3, 11)


def test_an_image_is_installed_into_the_python_that_runs(install, fake_root, monkeypatch, tmp_path):
    """As binder/postBuild does it: no .venv, and every step with that Python."""
    image = tmp_path / "image"
    image.mkdir()
    monkeypatch.setattr(install.sys, "prefix", str(image))
    install.main(["--here"])
    pythons = {command[0] for command in fake_root if "-m" in command}
    assert pythons == {sys.executable} and not any("venv" in command for command in fake_root)
    assert (image / "installed-labs").exists()
    assert not (Path(install.ROOT) / ".venv").exists()
    fake_root.clear()
    install.main(["--here"])
    assert fake_root == []


BINDER = ROOT / "binder"


def test_binder_gets_its_packages_from_the_installer_alone():
    """So that Binder has the versions that are tested, and no CUDA."""
    found = yaml.safe_load((BINDER / "environment.yml").read_text())
    assert found["dependencies"] == ["python=3.12", "pip"] and found["channels"] == ["conda-forge"]
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains("3.12")
    assert "python .ci/install.py --here\n" in (BINDER / "postBuild").read_text()


def started(*command, **variables):
    """What a command under binder/start prints, with these variables and no other of the kind."""
    names = ("CONSTRAINTLAB_", "OMP_", "NUMBA_", "MALLOC_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(names)}
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]])
    done = subprocess.run(
        [BINDER / "start", *command], env=env | variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


PRINT = "echo $CONSTRAINTLAB_PRESET $OMP_NUM_THREADS $NUMBA_NUM_THREADS $MALLOC_ARENA_MAX"


def test_a_pod_starts_with_small_sizes_and_as_many_threads_as_it_has_cores():
    from constraintlab.limits import cgroup

    n = str(math.ceil(cgroup.cores()))
    assert started("sh", "-c", PRINT).split() == ["ci", n, n, "2"]


def test_what_a_pod_was_given_stays():
    given = {"CONSTRAINTLAB_PRESET": "full", "OMP_NUM_THREADS": "7", "NUMBA_NUM_THREADS": "5"}
    assert started("sh", "-c", PRINT, **given, MALLOC_ARENA_MAX="9").split() == ["full", *"759"]


def test_a_pod_s_command_keeps_its_words():
    assert started("printf", "[%s]", "a b", "--c=$d") == "[a b][--c=$d]"


OFFLINE = ["bash", str(ROOT / ".ci" / "offline.sh")]
REACH = """
import socket, sys
here = socket.create_server(("127.0.0.1", 0))
socket.create_connection(here.getsockname(), timeout=5)
away = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    away.connect(("192.0.2.1", 9))  # set aside for examples: a route is looked for, nothing is sent
except OSError:
    print("cut")
sys.exit(7)
"""


def test_offline_cuts_the_network_but_the_loopback_and_keeps_the_exit_status():
    done = subprocess.run([*OFFLINE, sys.executable, "-c", REACH], capture_output=True, text=True)
    assert done.returncode == 7, done.stderr
    assert "cut" in done.stdout or "is not cut" in done.stderr
    if os.geteuid() == 0 and sys.platform == "linux" and os.environ.get("CI") == "true":
        assert done.stdout == "cut\n", "root may make a network namespace"


def test_offline_says_where_it_can_not_and_goes_on_unless_that_is_required(tmp_path):
    (tmp_path / "unshare").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "unshare").chmod(0o755)
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([*OFFLINE, "echo", "ran"], capture_output=True, text=True, env=env)
    assert done.stdout == "ran\n" and "the network is not cut" in done.stderr
    env["OFFLINE"] = "required"
    done = subprocess.run([*OFFLINE, "echo", "ran"], capture_output=True, text=True, env=env)
    assert done.returncode == 1 and not done.stdout
