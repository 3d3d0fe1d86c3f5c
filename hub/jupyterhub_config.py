"""A JupyterHub for a class: every learner has a JupyterLab with the labs, and a room one engine.

CONSTRAINTLAB_HUB_PASSWORD=… .venv/bin/jupyterhub -f hub/jupyterhub_config.py

Everything is chosen by variables, of which docs/instructor.md has the list. What this can't say,
say in a file of your own that begins with `load_subconfig("hub/jupyterhub_config.py")`.
"""

import os
import secrets
import shutil
import socket
import sys
from pathlib import Path

LABS = Path(__file__).resolve().parents[1] / "labs"
c = get_config()  # noqa: F821


def setting(name, default=""):
    """The variable CONSTRAINTLAB_HUB_<name>; an empty one counts as absent."""
    return os.environ.get(f"CONSTRAINTLAB_HUB_{name}") or default


def stop(message):
    sys.exit(f"constraintlab hub: {message}")


data = Path(setting("DATA", Path.home() / ".local/share/constraintlab-hub")).absolute()
data.mkdir(mode=0o700, parents=True, exist_ok=True)

# Who: any name, with the password that is on the board.
password = setting("PASSWORD")
if len(password) < 8:
    stop("set CONSTRAINTLAB_HUB_PASSWORD to 8 characters or more: the class shares it")
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = password
c.Authenticator.allow_all = True
c.Authenticator.username_pattern = r"^[a-z0-9][a-z0-9_-]{0,31}$"  # it names a folder, a volume
if admin := setting("ADMIN_PASSWORD"):
    c.SharedPasswordAuthenticator.admin_password = admin
    c.Authenticator.admin_users = {"instructor"}

# Where: the hub, its proxy, its own files.
c.JupyterHub.bind_url = setting("URL", "http://127.0.0.1:8000")
c.JupyterHub.db_url = f"sqlite:///{data}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = str(data / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(data / "proxy.pid")
beside = Path(sys.executable).with_name("configurable-http-proxy")
c.ConfigurableHTTPProxy.command = [str(beside) if beside.exists() else beside.name]

# One engine for the room: an address that is there, or a model, which the hub then serves itself
# and starts again should it die.
spawner = setting("SPAWNER", "local")
address = setting("ADDRESS", "127.0.0.1" if spawner == "local" else socket.gethostname())
engine, key = setting("ENGINE"), setting("ENGINE_KEY")
if engine and not engine.startswith(("http://", "https://")):
    key, port = key or secrets.token_urlsafe(16), setting("ENGINE_PORT", "8100")
    host = "127.0.0.1" if spawner == "local" else "0.0.0.0"
    serve = [sys.executable, "-c", "from constraintlab.cli import app; app()", "serve"]
    kept = os.environ.get("CONSTRAINTLAB_HOME")  # a service starts with what is named here alone
    c.JupyterHub.services = [
        {
            "name": "engine",
            "command": [*serve, "--model", engine, "--host", host, "--port", port],
            "environment": {
                "CONSTRAINTLAB_API_KEY": key,
                **({"CONSTRAINTLAB_HOME": kept} if kept else {}),
            },
        }
    ]
    engine = f"http://{address}:{port}"

# What each learner's server gets.
c.Spawner.environment = {
    "CONSTRAINTLAB_PRESET": setting("PRESET", "ci"),
    **({"CONSTRAINTLAB_SERVER": engine} if engine else {}),
    **({"OPENAI_API_KEY": key} if key else {}),
}
c.Spawner.default_url = "/lab/tree/labs/00_instrument_first.ipynb"
c.Spawner.mem_limit = setting("MEMORY", "2G")
c.Spawner.cpu_limit = float(setting("CORES", "1"))
c.Spawner.start_timeout = c.Spawner.http_timeout = 120

if spawner == "local":
    # All learners are the hub's own user and its limits are not enforced: a trusted room, a test.
    homes = data / "homes"
    c.JupyterHub.spawner_class = "simple"
    c.SimpleLocalProcessSpawner.home_dir_template = f"{homes}/{{username}}"
    # A venv's kernel and widgets lie beside this Python, whatever the shell's PATH says.
    c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
    c.Spawner.args = ["--allow-root"] if hasattr(os, "getuid") and os.getuid() == 0 else []

    def copy_labs(spawner):
        """The labs in a learner's home, once: what they wrote stays."""
        home = homes / spawner.user.name / "labs"
        if not home.exists():
            shutil.copytree(LABS, home, ignore=shutil.ignore_patterns(".*", "INSTRUCTOR.md"))

    c.Spawner.pre_spawn_hook = copy_labs
elif spawner == "docker":
    # The image is the one that Binder would build: `jupyter-repo2docker --no-run …`.
    c.JupyterHub.spawner_class = "docker"
    c.JupyterHub.hub_ip, c.JupyterHub.hub_connect_ip = "0.0.0.0", address
    c.DockerSpawner.image = setting("IMAGE", "constraintlab")
    c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
    # A container goes with its server. Its notebooks and progress stay, in a volume that Docker
    # fills with the image's labs when it is new.
    c.DockerSpawner.remove = True
    c.DockerSpawner.volumes = {"constraintlab-{username}": "/home/jovyan/labs"}
    c.Spawner.environment["CONSTRAINTLAB_HOME"] = "/home/jovyan/labs/.constraintlab"
else:
    stop(f"CONSTRAINTLAB_HUB_SPAWNER={spawner!r}: use local or docker; Kubernetes: kubernetes.yaml")
