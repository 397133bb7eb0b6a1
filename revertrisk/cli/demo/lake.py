"""The end of the demo: its events go into a lake, and one question is asked of it in SQL."""

# ruff: noqa: PLC0415 - the lake's engines are an extra, and imported when they are there

import asyncio
import importlib.util
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from revertrisk.event_platform.streams import PREDICTION_STREAMS

MISSING: Final = (
    "With the extra `lake` the demo also answers a question in SQL: pip install 'revertrisk-events[lake]'"
)
QUESTION: Final = """\
SELECT
    p.model_name,
    CASE WHEN p.probability > 0.5 THEN 'over 0.5' WHEN p.probability > 0.2 THEN '0.2 to 0.5' ELSE 'up to 0.2' END
        AS risk,
    COUNT(*) AS edits,
    SUM(CASE WHEN o.first_revert_id IS NULL OR o.is_self THEN 0 ELSE 1 END) AS undone_by_others
FROM prediction_current AS p
JOIN outcome AS o ON p.wiki_id = o.wiki_id AND p.rev_id = o.rev_id
GROUP BY p.model_name, risk
ORDER BY p.model_name, MIN(p.probability)"""
"""Its answer is the same in each run: it needs no actor key, and reads no clock."""
FOLDER: Final = "lake"
"""In the folder of the demo."""
BATCH_S: Final = 0.5
POLL_S: Final = 0.2
LONGEST_S: Final = 60.0
"""Until the lake counts as stuck."""


def has_engines() -> bool:
    """Return whether the extra is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("deltalake", "duckdb"))


def errors() -> tuple[type[Exception], ...]:
    """Return what the others of this module raise."""
    from revertrisk.lake import LakeError
    from revertrisk.streams.base import SourceError

    return LakeError, SourceError, TimeoutError


async def fill_lake(folder: Path, events: Path, gate: str, predictions: int) -> Path:
    """Make a lake of the page_change events in a file and of the predictions at a gate; return its folder.

    Raises:
        LakeError: it cannot be made or written.
        SourceError: the events cannot be read.
        TimeoutError: not all predictions have come.

    """
    from revertrisk.lake.open_or_create import make_lake
    from revertrisk.lake.run import RunSettings, fill
    from revertrisk.streams.opening import SourceSettings

    root = folder / FOLDER
    streams = ",".join(PREDICTION_STREAMS.values())
    settings = RunSettings(
        sources=(f"jsonl:{events}", f"eventstreams:{gate}/v2/stream/{streams}"),
        to=str(root),
        opening=SourceSettings(from_beginning=True),
        batch_s=BATCH_S,
    )
    lake = await asyncio.to_thread(make_lake, str(root), str(folder / "lake-key"))
    stop = asyncio.Event()
    filling = asyncio.create_task(fill(settings, lake, stop))
    try:
        async with asyncio.timeout(LONGEST_S):
            # A stream has no end: the lake itself says when everything is there.
            while not filling.done():
                if await asyncio.to_thread(_predictions, root) >= predictions:
                    break
                await asyncio.sleep(POLL_S)
    finally:
        stop.set()
        await filling
    return root


def ask(root: Path) -> tuple[list[str], Sequence[tuple[Any, ...]]]:
    """Return the names of the answer's columns, and its rows; raises LakeError."""
    from revertrisk.lake import Reader

    with closing(Reader(str(root))) as reader:
        answered = reader.query(QUESTION)
        return [column[0] for column in answered.description or ()], answered.fetchall()


def _predictions(root: Path) -> int:
    from revertrisk.lake import Reader

    with closing(Reader(str(root))) as reader:
        return int(reader.query("SELECT count(*) FROM prediction").fetchall()[0][0])
