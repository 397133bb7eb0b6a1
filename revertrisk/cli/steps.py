"""Shows the steps of a long command on standard error, each with the seconds since the start."""

import sys
import threading
import time
from types import TracebackType
from typing import Final, Self

STILL_EVERY_S: Final = 10.0


class Steps:
    """A context that writes a line for each step, and one more every `STILL_EVERY_S` seconds during a step."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._step = ""
        self._changed = threading.Condition()
        self._is_over = False
        self._watch = threading.Thread(target=self._repeat_step, daemon=True)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify()
        self._watch.join()

    def begin(self, step: str) -> None:
        """Write a line: a step begins."""
        with self._changed:
            self._step = step
            self._show(step)
            self._changed.notify()

    def _repeat_step(self) -> None:
        with self._changed:
            while not self._is_over:
                if not self._changed.wait(STILL_EVERY_S) and self._step:
                    self._show(f"still {self._step}")

    def _show(self, line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - self._began:7.1f} s  {line}\n")
        sys.stderr.flush()
