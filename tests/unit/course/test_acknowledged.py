"""A widget's message is acknowledged once it is taken, whatever came of it."""

from types import SimpleNamespace

import pytest

from constraintlab.course import acknowledged


class Widget:
    """Takes messages as a widget of ipywidgets does: by what its comm was told to call."""

    def __init__(self):
        self.taken, self.comm = [], SimpleNamespace(on_msg=self._listen)
        self.call = self._handle_msg

    def _listen(self, call):
        self.call = call

    def _handle_msg(self, message):
        self.taken.append(message)
        if message == "bad":
            raise ValueError("bad")


def test_it_says_idle_of_that_message_and_busy_after_it(monkeypatch):
    sent = []
    session = SimpleNamespace(
        send=lambda socket, kind, said, parent, ident: sent.append(
            (socket, kind, said["execution_state"], parent, ident)
        )
    )
    kernel = SimpleNamespace(session=session, iopub_socket="iopub", ident="k")
    monkeypatch.setattr(acknowledged, "_kernel", lambda: kernel)
    one, unused = Widget(), SimpleNamespace(comm=None)
    acknowledged.acknowledged(one, unused)
    with pytest.raises(ValueError, match="bad"):
        one.call("bad")
    one.call("good")
    assert one.taken == ["bad", "good"]
    topic = b"kernel.k.status"
    assert sent == [
        ("iopub", "status", state, message, topic)
        for message in ("bad", "good")
        for state in ("idle", "busy")
    ]


def test_without_a_kernel_a_widget_stays_as_it_is():
    one = Widget()
    acknowledged.acknowledged(one)
    assert one.call == one._handle_msg
