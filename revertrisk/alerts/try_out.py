"""``revertrisk surge test-message``: sends one start and one end as a test of the receivers."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from time import time
from typing import Final

from revertrisk.alerts.errors import EXIT_BROKEN, EXIT_DONE
from revertrisk.alerts.incidents import Incident, MessageKind, Series, incident_id, message
from revertrisk.alerts.pages import PageLinks
from revertrisk.alerts.receivers import Receiver, SendError, close_receivers

_MINUTES: Final = 42
_MAIN_PAGE: Final = 15580374
"""The Main Page of English Wikipedia."""


async def send_test_messages(receivers: Sequence[Receiver]) -> int:
    """Send a start and an end to each receiver; returns the exit status."""
    now = int(time()) // 60
    scope, series = "enwiki", Series.EDITS
    begun = Incident(
        incident_id(scope, f"test {series}", now), scope, series, since=now - _MINUTES, found=now - 30
    )
    begun.observed, begun.expected, begun.peak_ratio = 2310.0, 1020.0, 2.9
    ended = replace(begun, observed=4620.0, expected=2520.0, ended=now)
    page = PageLinks().page(scope, _MAIN_PAGE, "Main Page", 7)
    status = EXIT_DONE
    for receiver in receivers:
        try:
            for incident, kind in ((begun, MessageKind.START), (ended, MessageKind.END)):
                await receiver.send(message(incident, kind, [page]) | {"test": True})
        except SendError as exc:
            sys.stderr.write(f"revertrisk: {exc}\n")
            status = EXIT_BROKEN
    await close_receivers(receivers)
    await asyncio.sleep(0)
    return status
