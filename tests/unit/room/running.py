"""A room's server in a thread of the test, and plain requests to it."""

import http.client
import json
import secrets
import threading
from contextlib import contextmanager

from constraintlab.room import catalogue, run
from constraintlab.room.messages import Item
from constraintlab.room.store import Store

LAB, KEY = "04", "batch"


def token():
    return secrets.token_hex(16)


def prediction(text, seq=1, lab=LAB, key=KEY):
    return Item("prediction", lab, seq, key, text)


def measurement(text, value=None, seq=2, lab=LAB, key=KEY):
    return Item("measurement", lab, seq, key, text, value)


def finish(resource, seq=3, lab=LAB):
    return Item("finish", lab, seq, None, resource)


def new_store(folder):
    return Store(folder / "room.sqlite", catalogue.load())


class Running:
    """store: to be read once the server has ended, or by its own thread."""

    def __init__(self, path, port=0):
        self.path = path
        self.store = Store(path, catalogue.load())
        self.code, self.key = self.store.code, self.store.key
        self.socket, ready = run.listen("127.0.0.1", port), threading.Event()
        self.port = self.socket.getsockname()[1]
        self.server = run.Server(self.store, f"127.0.0.1:{self.port}", ready.set)
        sockets = {"sockets": [self.socket]}
        self._thread = threading.Thread(target=self.server.run, kwargs=sockets)
        self._thread.start()
        assert ready.wait(20), "the room did not start"

    @property
    def where(self):
        return f"{self.code}@127.0.0.1:{self.port}"

    def close(self):
        self.server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive(), "the room did not end"
        self.socket.close()
        self.store.close()

    def ask(self, path, body=None, key="", method=None):
        """(status, headers, answer) of a request; body: bytes, or what is to be JSON."""
        return ask(self.port, path, body, key, method)

    def join(self, who, **more):
        return self.ask("/api/join", {"code": self.code, "token": who, **more})

    def tell(self, who, *items):
        return self.ask("/api/tell", {"code": self.code, "token": who, "items": list(items)})

    def instruct(self, do, lab=LAB, key=KEY):
        return self.ask("/api/instruct", {"do": do, "lab": lab, "key": key}, self.key)

    def state(self):
        status, _, found = self.ask("/api/state", key=self.code)
        assert status == 200, found
        return found["state"]


def ask(port, path, body=None, key="", method=None):
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    if isinstance(body, dict | list):
        body = json.dumps(body).encode()
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        link.request(method or ("GET" if body is None else "POST"), path, body, headers)
        reply = link.getresponse()
        data = reply.read()
        json_ = reply.headers["content-type"] == "application/json"
        return reply.status, reply.headers, json.loads(data) if json_ else data.decode()
    finally:
        link.close()


@contextmanager
def running(folder, port=0):
    room = Running(folder / "room.sqlite", port)
    try:
        yield room
    finally:
        room.close()
