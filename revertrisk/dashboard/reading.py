"""Reads all sources and updates the open edits and surges, until a signal arrives or a source fails."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, Final

from revertrisk.dashboard.freshness import Arrivals
from revertrisk.dashboard.open_edits import OpenEdits
from revertrisk.dashboard.surges import Surges, SurgesError
from revertrisk.streams.base import UnreadableRecord
from revertrisk.streams.opening import OpenSource

log = logging.getLogger(__name__)

_YIELD_EVERY: Final = 200
"""Events after which other tasks can run: reading buffered events never suspends this task."""
FORGET_OLD_EVERY_S: Final = 1.0
READ_SURGES_EVERY_S: Final = 5.0


async def read_until(
    stop: asyncio.Event, sources: Sequence[OpenSource], edits: OpenEdits, surges: Surges, arrivals: Arrivals
) -> None:
    """Read until ``stop`` is set. When all sources have ended, the page still shows their edits.

    Raises:
        SourceError: a source failed.

    """
    stopping = asyncio.create_task(stop.wait())
    working = [
        _forget_old(edits, arrivals),
        _read_surges(surges, edits),
        *(_read(source, edits, arrivals) for source in sources),
    ]
    waiting: set[asyncio.Task[Any]] = {stopping, *map(asyncio.create_task, working)}
    try:
        while not stopping.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _forget_old(edits: OpenEdits, arrivals: Arrivals) -> None:
    while True:
        await asyncio.sleep(FORGET_OLD_EVERY_S)
        edits.forget_old()
        arrivals.report()


async def _read_surges(surges: Surges, edits: OpenEdits) -> None:
    while True:
        try:
            if await asyncio.to_thread(surges.refresh):
                edits.version += 1
        except SurgesError as exc:
            log.warning("%s; the surges read before are still shown", exc)
        await asyncio.sleep(READ_SURGES_EVERY_S)


async def _read(source: OpenSource, edits: OpenEdits, arrivals: Arrivals) -> None:
    number = 0
    async with aclosing(source.source.events()) as records:
        async for record in records:
            if not isinstance(record, UnreadableRecord):
                edits.take(record.event)
                arrivals.note_event(record.event)
            # A source keeps the position of each event until it is committed.
            await source.source.commit(record.position)
            number += 1
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
    arrivals.note_end(source.name)
