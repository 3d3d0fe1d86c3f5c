"""Two learners at a real hub: each has a server, runs lab 00 there, and asks the room's engine."""

import asyncio
import json
import subprocess

import pytest

from .conftest import PASSWORD, command, environment
from .learner import Learner, Refused

LAB = "labs/00_instrument_first.ipynb"

ENGINE = """
import os, urllib.request, json
body = json.dumps({"model": "stub@200", "prompt": "one two", "max_tokens": 8}).encode()
headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"],
           "Content-Type": "application/json"}
at = os.environ["CONSTRAINTLAB_SERVER"] + "/v1/completions"
reply = urllib.request.urlopen(urllib.request.Request(at, body, headers))
print(json.load(reply)["usage"]["completion_tokens"])
"""

DIAGNOSE = """
import os
from constraintlab.watch import command
status = command.diagnose(command.Options(os.environ["CONSTRAINTLAB_SERVER"], seconds=3), True)
"""


@pytest.mark.timeout(600)
def test_two_learners_run_lab_00_each_on_their_own_server(hub):
    async def both():
        async with Learner(hub.url, "ada") as ada, Learner(hub.url, "bob") as bob:
            for learner in (ada, bob):
                await learner.login(PASSWORD)
            await asyncio.gather(ada.start(), bob.start())
            # A lab measures, so one at a time.
            done = {who.name: await who.run(await who.notebook(LAB)) for who in (ada, bob)}
            mine, others = f"{ada.server}/api/status", f"{bob.server}/api/status"
            return done, await ada.status(mine), await ada.status(others)

    done, mine, others = asyncio.run(both())
    for name, cells in done.items():
        assert [cell.error for cell in cells] == [""] * len(cells), name
        claims = [c for cell in cells for c in cell.text.splitlines() if "busy says nothing" in c]
        assert len(claims) == 1, f"{name}'s lab 00 ran to its claims"
        kept = hub.data / "homes" / name / ".cache" / "constraintlab"
        progress = kept / "progress.json"
        strip = json.loads(progress.read_text())
        assert "limits known" in json.dumps(strip) and '"preset": "ci"' in json.dumps(strip)
    assert (mine, others) == (200, 403)


@pytest.mark.timeout(300)
def test_a_room_shares_one_engine(hub):
    async def asked():
        async with Learner(hub.url, "cleo") as cleo:
            await cleo.login(PASSWORD)
            await cleo.start()
            return await cleo.run([ENGINE, DIAGNOSE])

    answered, diagnosed = asyncio.run(asked())
    assert not answered.error and int(answered.text) > 0
    assert not diagnosed.error and json.loads(diagnosed.text)["server"] == "constraintlab"


def test_who_does_not_know_the_password_stays_out(hub):
    async def tried(name, password):
        async with Learner(hub.url, name) as learner:
            await learner.login(password)

    with pytest.raises(Refused, match="403"):
        asyncio.run(tried("eve", "a-guess-of-eve"))
    with pytest.raises(Refused, match=r"403|400"):
        asyncio.run(tried("../eve", PASSWORD))


@pytest.mark.parametrize(
    ("settings", "fix"),
    [
        ({}, "CONSTRAINTLAB_HUB_PASSWORD to 8 characters or more"),
        ({"PASSWORD": "short"}, "CONSTRAINTLAB_HUB_PASSWORD to 8 characters or more"),
        ({"PASSWORD": PASSWORD, "SPAWNER": "moon"}, "use local or docker"),
    ],
)
def test_a_hub_that_is_set_up_wrongly_names_the_fix(tmp_path, settings, fix):
    done = subprocess.run(
        command(), env=environment(tmp_path, **settings), capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0 and fix in done.stderr
