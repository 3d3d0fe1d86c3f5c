"""A learner at a hub, over HTTP and WebSocket alone: logs in, starts a server, runs cells."""

import asyncio
import json
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp


class Refused(Exception):
    """The hub does not let them in; its status."""


@dataclass
class Ran:
    """What a cell came to: its streams' text, and its error if it has one."""

    text: str = ""
    error: str = ""


@dataclass
class Learner:
    """Use it with `async with`: a browser's cookies, and after `login` an API token."""

    hub: str
    name: str
    token: str = field(default="", repr=False)

    async def __aenter__(self):
        # A browser keeps cookies of an address without a name, too.
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        return self

    async def __aexit__(self, *_):
        await self.http.close()

    @property
    def server(self):
        return f"{self.hub}/user/{self.name}"

    @property
    def headers(self):
        return {"Authorization": f"token {self.token}"}

    async def login(self, password):
        """The form, as a browser sends it; then a token of their own. Refused where it is wrong."""
        async with self.http.get(f"{self.hub}/hub/login") as page:
            await page.read()
        form = {"username": self.name, "password": password, "_xsrf": self._xsrf()}
        at = f"{self.hub}/hub/login"
        async with self.http.post(at, data=form, allow_redirects=False) as said:
            if said.status != 302:
                raise Refused(said.status)
        async with self.http.get(f"{self.hub}/hub/token") as page:
            page.raise_for_status()
        headers = {"X-XSRFToken": self._xsrf(), "Referer": f"{self.hub}/hub/token"}
        at = f"{self.hub}/hub/api/users/{self.name}/tokens"
        async with self.http.post(at, json={"note": "test"}, headers=headers) as said:
            said.raise_for_status()
            self.token = (await said.json())["token"]

    def _xsrf(self):
        kept = [c.value for c in self.http.cookie_jar if c.key == "_xsrf" and c["path"] == "/hub/"]
        return kept[-1]

    async def start(self, seconds=120):
        """Their own server, until it is ready."""
        at = f"{self.hub}/hub/api/users/{self.name}"
        async with self.http.post(f"{at}/server", headers=self.headers) as said:
            said.raise_for_status()
        end = time.monotonic() + seconds
        while True:
            async with self.http.get(at, headers=self.headers) as said:
                servers = (await said.json())["servers"]
            if servers.get("", {}).get("ready"):
                return
            if time.monotonic() > end:
                raise TimeoutError(f"{self.name}'s server: {servers}")
            await asyncio.sleep(0.3)

    async def status(self, url):
        """What a server of the hub answers to this learner's token."""
        async with self.http.get(url, headers=self.headers, allow_redirects=False) as said:
            return said.status

    async def notebook(self, path):
        """Sources of a notebook's code cells, from their own server."""
        at = f"{self.server}/api/contents/{path}"
        async with self.http.get(at, headers=self.headers) as said:
            said.raise_for_status()
            cells = (await said.json())["content"]["cells"]
        return [c["source"] for c in cells if c["cell_type"] == "code"]

    async def run(self, cells, folder="labs"):
        """Run cells one after the other in a new kernel, until one fails."""
        body = {"name": "python3", "path": str(Path(folder) / "a.ipynb")}
        async with self.http.post(
            f"{self.server}/api/kernels", json=body, headers=self.headers
        ) as said:
            said.raise_for_status()
            kernel = f"{self.server}/api/kernels/{(await said.json())['id']}"
        done = []
        try:
            async with self.http.ws_connect(
                f"{kernel}/channels", headers=self.headers, max_msg_size=0
            ) as socket:
                for source in cells:
                    done.append(await execute(socket, source))
                    if done[-1].error:
                        break
        finally:
            async with self.http.delete(kernel, headers=self.headers) as said:
                said.raise_for_status()
        return done


async def execute(socket, source):
    """One cell over Jupyter's messaging protocol; ends at the kernel's reply and its idle."""
    own, ran, missing = uuid.uuid4().hex, Ran(), {"execute_reply", "idle"}
    header = {
        "msg_id": own, "msg_type": "execute_request", "username": "", "session": own,
        "version": "5.3",
    }  # fmt: skip
    content = {
        "code": source, "silent": False, "store_history": True, "user_expressions": {},
        "allow_stdin": False, "stop_on_error": True,
    }  # fmt: skip
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    await socket.send_str(json.dumps({**message, "channel": "shell", "buffers": []}))
    while missing:
        got = await socket.receive(timeout=120)
        if got.type == aiohttp.WSMsgType.BINARY:  # the panel's frames
            continue
        if got.type != aiohttp.WSMsgType.TEXT:
            raise ConnectionError(f"the kernel's connection ended: {got}")
        said = json.loads(got.data)
        if said["parent_header"].get("msg_id") != own:
            continue
        kind, content = said["header"]["msg_type"], said["content"]
        if kind == "stream":
            ran.text += content["text"]
        elif kind == "error":
            ran.error = f"{content['ename']}: {content['evalue']}"
        missing.discard(kind)
        if kind == "status":
            missing.discard(content["execution_state"])
    return ran
