"""Sends what is in the outbox, each way on its own, until it is taken.

A message is marked as sent after the receiver's 2xx answer. A webhook has no idempotency: after a kill between the two
the same message comes again, with the same incident id. It is never lost.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from revertrisk.alerts.store import Store
from revertrisk.alerts.ways import SendError, Way

log = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 300.0


class Outbox:
    """Sends messages while the watch reads on."""

    def __init__(
        self, store: Store, ways: Sequence[Way], keep: Callable[[], None], on_sent: Callable[[str], None]
    ) -> None:
        """Take the store; ``keep`` commits it where nothing is half done, ``on_sent`` is told of each way's message."""
        self._store = store
        self._ways = ways
        self._keep = keep
        self._on_sent = on_sent
        self._changed = {way.name: asyncio.Event() for way in ways}
        self._closing = False

    def notify(self) -> None:
        """Send what has been committed since."""
        for changed in self._changed.values():
            changed.set()

    async def run(self) -> None:
        """Send until closed; after that, what there is is tried once more.

        Raises:
            AlertsError: the state cannot be kept.

        """
        await asyncio.gather(*(self._send_all(way) for way in self._ways))

    def close(self) -> None:
        """Let :meth:`run` end once what there is has been tried."""
        self._closing = True
        self.notify()

    async def _send_all(self, way: Way) -> None:
        changed = self._changed[way.name]
        pause = FIRST_PAUSE_S
        while True:
            changed.clear()
            failed: SendError | None = None
            for message in self._store.outgoing(way.name):
                # What belongs to an incident stays in order: behind a message that failed, the others wait.
                try:
                    await way.send(message.document)
                except SendError as exc:
                    if not exc.is_final:
                        failed = exc
                        break
                    log.error("ALERT: a message was refused, and is not sent again: %s", exc)  # noqa: TRY400
                else:
                    self._on_sent(way.name)
                self._store.note_sent(message.number)
                self._keep()
                pause = FIRST_PAUSE_S
            if self._closing:
                if failed is not None:
                    log.warning("a message was not taken: %s; it is kept for the next run", failed)
                return
            if failed is None:
                await changed.wait()
                continue
            wait = max(pause, min(failed.retry_after_s or 0.0, LONGEST_PAUSE_S))
            log.error("ALERT: a message was not taken: %s; again in %.0f s", failed, wait)
            pause = min(2 * pause, LONGEST_PAUSE_S)
            await self._wait(wait)

    async def _wait(self, seconds: float) -> None:
        """Wait, but not when closing."""
        step = 0.1
        while seconds > 0 and not self._closing:
            await asyncio.sleep(min(step, seconds))
            seconds -= step
