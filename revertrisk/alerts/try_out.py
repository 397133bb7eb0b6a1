"""``revertrisk surge test-message``: one start and one end, so that the way out is known to work."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from time import time
from typing import Final

from revertrisk.alerts.errors import EXIT_BROKEN, EXIT_DONE
from revertrisk.alerts.incidents import Incident, MessageKind, Series, incident_id, message
from revertrisk.alerts.pages import PageLinks
from revertrisk.alerts.ways import SendError, Way, close_ways

_MINUTES: Final = 42
_MAIN_PAGE: Final = 15580374
"""Main Page of English Wikipedia."""


async def send_test_messages(ways: Sequence[Way]) -> int:
    """Send a start and an end each way; returns the exit status."""
    now = int(time()) // 60
    scope, series = "enwiki", Series.EDITS
    begun = Incident(
        incident_id(scope, f"test {series}", now), scope, series, since=now - _MINUTES, found=now - 30
    )
    begun.observed, begun.expected, begun.peak_ratio = 2310.0, 1020.0, 2.9
    ended = replace(begun, observed=4620.0, expected=2520.0, ended=now)
    page = PageLinks().page(scope, _MAIN_PAGE, "Main Page", 7)
    status = EXIT_DONE
    for way in ways:
        try:
            for incident, kind in ((begun, MessageKind.START), (ended, MessageKind.END)):
                await way.send(message(incident, kind, [page]) | {"test": True})
        except SendError as exc:
            sys.stderr.write(f"revertrisk: {exc}\n")
            status = EXIT_BROKEN
    await close_ways(ways)
    await asyncio.sleep(0)
    return status
