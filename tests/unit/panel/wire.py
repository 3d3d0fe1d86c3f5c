"""Where a panel's messages go in a test, and what a page that reloads would read."""

from array import array


class Wire:
    """A comm that keeps what it is given."""

    comm_id = "a test's"

    def __init__(self):
        self.messages = []

    def on_msg(self, callback):
        pass

    def send(self, data=None, metadata=None, buffers=None):
        self.messages.append((data, [bytes(b) for b in buffers or ()]))

    @property
    def frames(self):
        """(content, buffers) of the frames."""
        return [(d["content"], b) for d, b in self.messages if d["method"] == "custom"]

    @property
    def updates(self):
        """The states synced."""
        return [d["state"] for d, _ in self.messages if d["method"] == "update"]


def history(panel) -> list[list[float]]:
    """The ring as a page that reloads gets it, in rows."""
    made = array("d")
    made.frombytes(bytes(panel.get_state()["history"]))
    width = 1 + 2 * len(panel.view["series"])
    return [made[i : i + width].tolist() for i in range(0, len(made), width)]
