"""`EngineThread`: an engine in a thread of this process, beside an event loop."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence

from constraintlab.engine.loop import Engine
from constraintlab.engine.step import Emitted

Command = Callable[[Engine], Sequence[Emitted]]
"""Does something to an engine between two steps; what it emits with that."""


class EngineThread:
    """Steps `engine` as long as it has work; nobody else touches it from now on.

    heard: called in the thread with what a step or a command emitted. died: called in the thread
    with what ended it, if an error did; `failure` has it then, and `do` raises.
    """

    def __init__(
        self,
        engine: Engine,
        heard: Callable[[Sequence[Emitted]], object],
        died: Callable[[Exception], object] = lambda error: None,
    ) -> None:
        self._engine, self._heard, self._died = engine, heard, died
        self._commands: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def do(self, command: Command) -> None:
        """Have this done between two steps. RuntimeError where the engine is gone."""
        if self.failure is not None:
            raise RuntimeError(f"the engine stopped with {self.failure!r}") from self.failure
        self._commands.put(command)

    def close(self) -> None:
        """Stop after the step under way."""
        self._commands.put(None)
        self._thread.join()

    def _run(self) -> None:
        engine = self._engine
        try:
            while True:
                for command in self._pending():
                    if command is None:
                        return
                    self._tell(command(engine))
                if not engine.idle:
                    self._tell(engine.step().emitted)
        except Exception as error:
            self.failure = error
            self._died(error)

    def _pending(self) -> Iterator[Command | None]:
        if self._engine.idle:
            yield self._commands.get()
        while not self._commands.empty():
            yield self._commands.get()

    def _tell(self, emitted: Sequence[Emitted]) -> None:
        if emitted:
            self._heard(emitted)
