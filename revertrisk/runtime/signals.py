"""Do something when the program is asked to end (SIGTERM, SIGINT)."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def on_signals(then: Callable[[], object]) -> Iterator[None]:
    """Do something in the running event loop on each signal while the context lasts."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, then)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def handle_signals(then: Callable[[], object]) -> None:
    """Do something on each signal from now on, where no event loop runs that takes them."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: then())
