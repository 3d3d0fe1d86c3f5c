"""The link as a process between real sockets: rate, delay, stalls, cuts, slow readers, pressure."""

import re
import socket
import threading
import time

import pytest
from typer.testing import CliRunner

from constraintlab.cli import app
from constraintlab.serving.link import Link, LinkDied
from constraintlab.serving.link_command import amount, line
from constraintlab.serving.link_settings import Connection, LinkStats, Settings

PATTERN = bytes(range(251)) * 8000


class Source:
    """A server: `bytes N` is answered by N bytes of the pattern, `echo` by whatever follows."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sent, self.ends = {}, {}
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        number = 0
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            number += 1
            # As a server should that wants to feel its clients: see the class Link.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
            threading.Thread(target=self._serve, args=(peer, number), daemon=True).start()

    def _serve(self, peer, number):
        self.sent[number] = 0
        try:
            words = peer.recv(64).split()
            if words[:1] == [b"echo"]:
                while data := peer.recv(65536):
                    peer.sendall(data)
                    self.sent[number] += len(data)
            elif words:
                for at in range(0, int(words[1]), 500):
                    piece = PATTERN[at : min(at + 500, int(words[1]))]
                    peer.sendall(piece)
                    self.sent[number] += len(piece)
                if words[2:]:
                    peer.recv(1)
            self.ends[number] = ("done", time.monotonic())
        except OSError as error:
            self.ends[number] = (type(error).__name__, time.monotonic())
        peer.close()

    def end(self, number, within=1.0):
        """How a connection ended, and when."""
        until = time.monotonic() + within
        while number not in self.ends and time.monotonic() < until:
            time.sleep(0.002)
        return self.ends.get(number, ("open", time.monotonic()))


@pytest.fixture
def source():
    made = Source()
    yield made
    made.listener.close()


def ask(link, what):
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.settimeout(5)
    made.connect(("127.0.0.1", link.port))
    made.sendall(what)
    return made


def read(reader, n=1 << 30, seconds=10.0):
    """Up to n bytes, or what comes within so many seconds, or before the end."""
    found, until = bytearray(), time.monotonic() + seconds
    while len(found) < n and (left := until - time.monotonic()) > 0:
        reader.settimeout(left)
        try:
            piece = reader.recv(min(65536, n - len(found)))
        except TimeoutError:
            break
        if not piece:
            break
        found += piece
    return bytes(found)


def test_without_limits_it_passes_every_byte_both_ways(source):
    with Link(source.port) as link, ask(link, b"echo") as reader:
        time.sleep(0.05)
        data, got = PATTERN[:500_000], []
        hearer = threading.Thread(target=lambda: got.append(read(reader)))
        hearer.start()
        reader.sendall(data)
        reader.shutdown(socket.SHUT_WR)
        hearer.join(10)
        assert got == [data]
        stats = link.stats()
        assert stats.down == len(data) and stats.up == len(data) + 4
        assert stats.opened == 1 and stats.connections == (), "a half-close closes both ways"


def test_the_rate_holds_and_the_link_says_so(source):
    with Link(source.port, rate=200_000) as link, ask(link, b"bytes 100000") as reader:
        start = time.monotonic()
        got = read(reader)
        took = time.monotonic() - start
        assert got == PATTERN[:100_000]
        assert 0.48 <= took <= 0.65
        assert link.stats().rate == pytest.approx(100_000 / took, rel=0.2)


@pytest.mark.parametrize(("shared", "each"), [(True, 50_000), (False, 100_000)])
def test_connections_share_the_rate_or_have_one_each(source, shared, each):
    with Link(source.port, rate=100_000, shared=shared) as link:
        readers = [ask(link, b"bytes 500000") for _ in range(2)]
        got = []
        hear = [threading.Thread(target=lambda r=r: got.append(len(read(r, seconds=0.5))))
                for r in readers]  # fmt: skip
        for thread in hear:
            thread.start()
        for thread in hear:
            thread.join()
        assert got == pytest.approx([each * 0.5] * 2, rel=0.15)


def test_a_delay_is_felt_each_way(source):
    with Link(source.port, delay=0.1) as link:
        start = time.monotonic()
        with ask(link, b"bytes 10") as reader:
            assert read(reader, 10) == PATTERN[:10]
            assert 0.2 <= time.monotonic() - start <= 0.23


def test_jitter_keeps_the_order(source):
    with Link(source.port, jitter=0.05, seed=3) as link, ask(link, b"bytes 60000") as reader:
        assert read(reader) == PATTERN[:60_000]


def test_a_change_acts_within_50_ms_also_on_what_waits(source):
    with Link(source.port, rate=0) as link, ask(link, b"bytes 2000000") as reader:
        assert read(reader, seconds=0.2) == b""
        link.set(rate=None)
        assert read(reader, 5000, seconds=0.05) == PATTERN[:5000]
        link.set(rate=0)
        read(reader, seconds=0.05)
        assert read(reader, seconds=0.2) == b""
        link.set(delay=0.0, rate=1e6, slow=[1], slow_rate=10_000)
        read(reader, seconds=0.1)
        assert 800 <= len(read(reader, seconds=0.3)) <= 5500


def test_only_the_named_connection_is_slow(source):
    with Link(source.port, slow=[2], slow_rate=0) as link:
        readers = []
        for n in range(3):
            readers.append(ask(link, b"bytes 50000"))
            while link.stats().opened <= n:
                time.sleep(0.002)
        got = [len(read(r, seconds=0.5)) for r in readers]
        assert got == [50_000, 0, 50_000]
        link.set(slow=())
        assert read(readers[1]) == PATTERN[:50_000]


def test_a_link_that_passes_nothing_stops_the_server(source):
    with Link(source.port, rate=0) as link, ask(link, b"bytes 2000000"):
        time.sleep(0.3)
        ahead = source.sent[1]
        assert ahead < 100_000, "the server could write on into somebody's buffer"
        time.sleep(0.2)
        assert source.sent[1] == ahead
        assert link.stats().waiting < 40_000


def test_a_reader_that_stops_stops_the_server(source):
    with Link(source.port, delay=0.01) as link, ask(link, b"bytes 2000000") as reader:
        time.sleep(0.3)
        assert source.sent[1] < 500_000, "256 KiB fly, and each socket has its buffer"
        assert read(reader) == PATTERN[:2_000_000]


def test_a_cut_comes_after_exactly_so_many_bytes(source):
    with Link(source.port, rate=1e6, cut=12_345) as link, ask(link, b"bytes 2000000") as reader:
        assert read(reader) == PATTERN[:12_345]
        assert reader.recv(1) == b""
        how, _ = source.end(1)
        assert how in ("ConnectionResetError", "BrokenPipeError")
        assert link.stats().cut == 1


def test_a_client_that_leaves_is_noticed_by_the_server_at_once(source):
    with Link(source.port, rate=0) as link:
        reader = ask(link, b"bytes 2000000")
        time.sleep(0.1)
        link.set(rate=100_000)
        read(reader, 2000)
        left = time.monotonic()
        reader.close()
        how, when = source.end(1)
        assert how != "open" and when - left < 0.1


def test_a_stall_stops_everything_and_ends(source):
    with Link(source.port, rate=1e6) as link, ask(link, b"bytes 2000000") as reader:
        read(reader, 1000)
        link.stall(0.3)
        read(reader, seconds=0.05)
        assert read(reader, seconds=0.2) == b""
        assert len(read(reader, 100_000, seconds=1)) == 100_000


def test_stalls_come_again_and_again(source):
    with Link(source.port, rate=1e6, stalls=(0.2, 0.1)) as link:
        start = time.monotonic()
        with ask(link, b"bytes 300000") as reader:
            assert read(reader) == PATTERN[:300_000]
        assert 0.45 <= time.monotonic() - start <= 0.75


def test_a_server_that_is_not_there_ends_the_client_s_connection():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Link(port) as link, pytest.raises(ConnectionError), ask(link, b"bytes 10") as reader:
        if read(reader) == b"":
            raise ConnectionError("closed")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"rate": -1}, "rate=-1: give bytes/s, 0 or more, None for no limit"),
        ({"delay": float("nan")}, "delay=nan: give seconds, 0 or more"),
        ({"slow": [0]}, "give numbers of connections, from 1"),
        ({"stalls": (1, 2)}, "lasting below every"),
        ({"cut": 0}, "give 1 byte or more"),
        ({"speed": 1}, "a link has no 'speed': use rate, up_rate"),
    ],
)
def test_a_wrong_value_is_named(values, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        Settings().changed(**values)


def test_a_number_that_is_none_is_a_type_error():
    with pytest.raises(TypeError, match="rate='fast': give a number"):
        Link(1, rate="fast")


@pytest.mark.parametrize("to", ["nowhere", "host:port", 0, "http://"])
def test_a_wrong_address_is_named(to):
    with pytest.raises(ValueError, match="give the server's port, host:port"):
        Link(to)


def test_a_port_that_is_taken_is_named(source):
    with pytest.raises(LinkDied, match=f"can't listen on 127.0.0.1:{source.port}"):
        Link(source.port, port=source.port)


def test_a_link_whose_process_is_gone_says_so_and_a_closed_one_too(source):
    link = Link(source.port)
    link._process.kill()
    with pytest.raises(LinkDied, match="ended with status -9"):
        link.stats()
    link.close()
    link.close()
    with pytest.raises(ValueError, match="closed: start another"):
        link.set(rate=1)


def test_from_the_command_line_a_wrong_value_is_one_line(source):
    for words, said in (
        (["nowhere"], "give the server's port, host:port"),
        ([str(source.port), "--rate", "fast"], "'fast': give bytes/s like 800, 50k"),
        ([str(source.port), "--cut", "0"], "cut=0: give 1 byte"),
        ([str(source.port), "--port", str(source.port)], "can't listen on"),
    ):
        done = CliRunner().invoke(app, ["link", *words])
        assert done.exit_code == 2 and done.stderr.startswith("link: ") and said in done.stderr


def test_a_link_in_a_line():
    one = Connection(1, 0, 0, 0, 0, True)
    stats = LinkStats(1.0, 0, 0, 12_345.0, 50e3, 3, 2, 800, 0, 0.1, (one,))
    assert line(stats) == "12.3 kB/s of 50.0 kB/s, 1 connections, 800 B wait, 1 slow, 2 cut"
    assert [amount(t) for t in ("800", "50k", "1.5M", None)] == [800, 50e3, 1.5e6, None]
