"""Logs the progress of a run at intervals, which is the only sign of it while no request succeeds."""

import asyncio
import logging
from collections.abc import Mapping

from revertrisk.dispatcher.outcome import Summary

FIRST_S = 10.0
LONGEST_S = 60.0

log = logging.getLogger(__name__)


async def log_progress(summary: Summary, retrying: Mapping[str, int]) -> None:
    """Log the counts after ten seconds, then at growing intervals of up to a minute; never return.

    ``retrying`` has the number of requests that wait for another try, by the reason of the last failure.
    """
    pause_s = FIRST_S
    while True:
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_S)
        waiting = ", ".join(f"{count} after {reason}" for reason, count in sorted(retrying.items()) if count)
        log.info(
            "%d events read, %d outcomes, %d under way%s",
            summary.read,
            summary.outcomes.total(),
            summary.interrupted,
            f", waiting for another try: {waiting}" if waiting else "",
        )
