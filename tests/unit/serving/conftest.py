"""A server in a thread of the test, whose front end a test can look into, and plain clients."""

import http.client
import json
import re
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from constraintlab.engine.setup import Setup
from constraintlab.serving.options import Options
from constraintlab.serving.run import Serving, listen

STUB = Setup(model="stub", blocks=4096, slots=64, tokens=4096)


class Running:
    """A server that runs; front: its front end, to be read only."""

    def __init__(self, setup=STUB, **options):
        self.options = Options(**{"port": 0, "grace": 0.2, **options})
        self.socket, ready = listen(self.options), threading.Event()
        self.port = self.socket.getsockname()[1]
        self.serving = Serving(setup, self.options, lambda url: ready.set())
        self.front, self.failure = self.serving.front, None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        while not ready.wait(0.05):
            if not self._thread.is_alive():
                raise self.failure

    def _run(self):
        try:
            self.serving.run(sockets=[self.socket])
        except Exception as error:
            self.failure = error
        finally:
            self.socket.close()

    def stop(self):
        self.serving.should_exit = True

    def close(self):
        self.stop()
        self._thread.join(30)
        assert not self._thread.is_alive(), "the server did not end"

    def ask(self, path, body=None, method=None, headers=None):
        """(status, headers, body) of a request; body: bytes, or what is to be JSON."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        if isinstance(body, dict | list):
            body = json.dumps(body).encode()
        link.request(method or ("GET" if body is None else "POST"), path, body, headers or {})
        reply = link.getresponse()
        found = reply.status, dict(reply.getheaders()), reply.read()
        link.close()
        return found

    def get(self, path):
        return json.loads(self.ask(path)[2])

    def post(self, path="/v1/completions", **body):
        """The JSON of an answer that must be one."""
        status, _, data = self.ask(path, body)
        assert status == 200, data
        return json.loads(data)

    def error(self, path, body=None, method=None, headers=None):
        """(status, error) of a request that must be refused."""
        status, _, data = self.ask(path, body, method, headers)
        error = json.loads(data)["error"]
        assert set(error) == {"message", "type", "param", "code"} and error["message"]
        return status, error

    def stream(self, path="/v1/completions", **body):
        """What every event of a streamed answer has."""
        status, headers, data = self.ask(path, {"stream": True, **body})
        assert status == 200 and headers["content-type"].startswith("text/event-stream"), data
        return events(data)

    def open(self, path="/v1/completions", buffer=None, **body):
        """A socket on which a streamed answer comes."""
        link = socket.socket()
        if buffer:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        link.settimeout(20)
        link.connect(("127.0.0.1", self.port))
        data = json.dumps({"stream": True, **body}).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(data)}\r\n\r\n"
        link.sendall(head.encode() + data)
        return link

    def metric(self, name):
        """The value of a line of /metrics: its name with its labels, less the model's name."""
        for line in self.ask("/metrics")[2].decode().splitlines():
            label, _, value = line.rpartition(" ")
            label = re.sub(r',?model_name="[^"]*"', "", label).replace("{}", "")
            if label == name:
                return float(value)
        raise KeyError(name)


def events(data):
    """The JSON of each event, the last of which must be [DONE] or an error."""
    assert data.endswith(b"\n\n")
    found = []
    for event in data.decode().split("\n\n")[:-1]:
        (line,) = event.splitlines()
        assert line.startswith("data: ")
        found.append(line.removeprefix("data: "))
    if found[-1] == "[DONE]":
        found.pop()
    else:
        assert "error" in json.loads(found[-1])
    return [json.loads(line) for line in found]


def texts(found):
    """The text of each completion event."""
    return [c["text"] for e in found for c in e["choices"]]


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return False


def read_all(link):
    """Everything until the other side closes."""
    data = b""
    while got := link.recv(1 << 16):
        data += got
    return data


@contextmanager
def serving(setup=STUB, **options):
    server = Running(setup, **options)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def server():
    with serving() as found:
        yield found
