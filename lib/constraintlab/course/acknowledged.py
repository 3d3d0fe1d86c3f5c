"""A control that a person moves again and again while a cell is awaited.

ipywidgets holds a change back until the kernel says `idle` of the one before; ipykernel 7.4 says it
of no message that it takes beside a cell that is awaited. Without this, only the first choice of a
run would arrive, and the page would show another.
"""

from __future__ import annotations


def acknowledged(*controls) -> None:
    """Say `idle` of every message that these widgets take, and `busy` after it: the cell runs on.

    Outside a kernel they stay as they are.
    """
    kernel = _kernel()
    for control in controls if kernel is not None else ():
        if control.comm is not None:
            control.comm.on_msg(_taking(control, kernel))


def _taking(control, kernel):
    def take(message: dict) -> None:
        try:
            control._handle_msg(message)
        finally:
            for state in ("idle", "busy"):
                kernel.session.send(
                    kernel.iopub_socket, "status", {"execution_state": state}, parent=message,
                    ident=f"kernel.{kernel.ident}.status".encode(),
                )  # fmt: skip

    return take


def _kernel():
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None)
