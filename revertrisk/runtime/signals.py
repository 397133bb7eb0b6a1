"""Handlers of the signals that end a program (SIGTERM, SIGINT)."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def on_signals(then: Callable[[], object]) -> Iterator[None]:
    """Call ``then`` in the running event loop on each signal while the context is open."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, then)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def handle_signals(then: Callable[[], object]) -> None:
    """Call ``then`` on each signal from now on, without an event loop."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: then())
