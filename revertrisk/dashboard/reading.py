"""Reads every source into the state of the page, until a signal comes or a source breaks."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, Final

from revertrisk.dashboard.open_edits import OpenEdits
from revertrisk.dashboard.surges import Surges, SurgesError
from revertrisk.streams.base import UnreadableRecord
from revertrisk.streams.opening import OpenSource

log = logging.getLogger(__name__)

_YIELD_EVERY: Final = 200
"""Events after which other tasks get a turn: a source that has many at hand does not wait between them."""
FORGET_EVERY_S: Final = 1.0
LOOK_FOR_SURGES_EVERY_S: Final = 5.0


async def read_until(
    stop: asyncio.Event, sources: Sequence[OpenSource], edits: OpenEdits, surges: Surges
) -> None:
    """Read until ``stop`` is set, also where every source has ended: what they told is still shown.

    Raises:
        SourceError: a source broke.

    """
    stopping = asyncio.create_task(stop.wait())
    working = [
        _forget_old(edits),
        _look_for_surges(surges, edits),
        *(_read(source, edits) for source in sources),
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


async def _forget_old(edits: OpenEdits) -> None:
    while True:
        await asyncio.sleep(FORGET_EVERY_S)
        edits.forget_old()


async def _look_for_surges(surges: Surges, edits: OpenEdits) -> None:
    while True:
        try:
            if await asyncio.to_thread(surges.refresh):
                edits.version += 1
        except SurgesError as exc:
            log.warning("%s; what was known stays", exc)
        await asyncio.sleep(LOOK_FOR_SURGES_EVERY_S)


async def _read(source: OpenSource, edits: OpenEdits) -> None:
    number = 0
    async with aclosing(source.source.events()) as records:
        async for record in records:
            if not isinstance(record, UnreadableRecord):
                edits.take(record.event)
            await source.source.commit(record.position)  # or it would keep the place until then
            number += 1
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
