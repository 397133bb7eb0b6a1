"""Sends the messages in the outbox to each receiver until it accepts them.

A message is marked as sent after the receiver has answered 2xx. If the program is killed between the two, the next run
sends the same message again, with the same incident id. No message is lost.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from revertrisk.alerts.receivers import Receiver, SendError
from revertrisk.alerts.store import Store

log = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 300.0


class Outbox:
    """Sends messages while the watch reads events."""

    def __init__(
        self,
        store: Store,
        receivers: Sequence[Receiver],
        keep: Callable[[], None],
        on_sent: Callable[[str], None],
    ) -> None:
        """Take the store; ``keep`` commits it, and ``on_sent`` is called with the receiver of each accepted message."""
        self._store = store
        self._receivers = receivers
        self._keep = keep
        self._on_sent = on_sent
        self._changed = {receiver.name: asyncio.Event() for receiver in receivers}
        self._closing = False

    def notify(self) -> None:
        """Send the messages that were committed since the last call."""
        for changed in self._changed.values():
            changed.set()

    async def run(self) -> None:
        """Send until :meth:`close` is called; then try each remaining message once.

        Raises:
            AlertsError: the state cannot be kept.

        """
        await asyncio.gather(*(self._send_all(receiver) for receiver in self._receivers))

    def close(self) -> None:
        """Let :meth:`run` end after it has tried each remaining message once."""
        self._closing = True
        self.notify()

    async def _send_all(self, receiver: Receiver) -> None:
        changed = self._changed[receiver.name]
        pause = FIRST_PAUSE_S
        while True:
            changed.clear()
            failed: SendError | None = None
            for message in self._store.outgoing(receiver.name):
                # One that failed holds back the later ones, so that an incident's messages arrive in order.
                try:
                    await receiver.send(message.document)
                except SendError as exc:
                    if not exc.is_final:
                        failed = exc
                        break
                    log.error("ALERT: a receiver rejected a message, which is not sent again: %s", exc)  # noqa: TRY400
                else:
                    self._on_sent(receiver.name)
                self._store.note_sent(message.number)
                self._keep()
                pause = FIRST_PAUSE_S
            if self._closing:
                if failed is not None:
                    log.warning("a message was not delivered: %s; the next run sends it", failed)
                return
            if failed is None:
                await changed.wait()
                continue
            wait = max(pause, min(failed.retry_after_s or 0.0, LONGEST_PAUSE_S))
            log.error("ALERT: a message was not delivered: %s; next try in %.0f s", failed, wait)
            pause = min(2 * pause, LONGEST_PAUSE_S)
            await self._wait(wait)

    async def _wait(self, seconds: float) -> None:
        """Wait, but only until :meth:`close` is called."""
        # It does not wait for `_changed`: new messages set that too, and must not shorten the pause.
        step = 0.1
        while seconds > 0 and not self._closing:
            await asyncio.sleep(min(step, seconds))
            seconds -= step
