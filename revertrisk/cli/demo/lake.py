"""The end of the demo: writes its events into a lake, and queries it with SQL."""

# ruff: noqa: PLC0415 - the extra `lake` may not be installed

import asyncio
import importlib.util
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from revertrisk.event_platform.streams import PREDICTION_STREAMS

MISSING: Final = (
    "With the extra `lake` the demo also makes a lake and queries it: pip install 'revertrisk-events[lake]'"
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
"""The result is the same in each run: it uses no actor keys and no time."""
FOLDER: Final = "lake"
"""The lake's folder, below the demo's temporary folder."""
BATCH_S: Final = 0.5
POLL_S: Final = 0.2
LONGEST_S: Final = 60.0
"""The longest time for filling the lake."""


def has_engines() -> bool:
    """Return whether the extra is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("deltalake", "duckdb"))


def errors() -> tuple[type[Exception], ...]:
    """Return the exceptions of `fill_lake` and `ask`."""
    from revertrisk.lake import LakeError
    from revertrisk.streams.base import SourceError

    return LakeError, SourceError, TimeoutError


async def fill_lake(folder: Path, events: Path, gate: str, predictions: int) -> Path:
    """Write the page_change events of a file and the predictions of EventGate's streams into a new lake.

    Return the lake's folder. ``predictions`` is how many are waited for.

    Raises:
        LakeError: the lake cannot be made or written.
        SourceError: the events cannot be read.
        TimeoutError: some predictions did not arrive in time.

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
            # EventGate's stream does not end, so the rows in the lake are counted.
            while not filling.done():
                if await asyncio.to_thread(_predictions, root) >= predictions:
                    break
                await asyncio.sleep(POLL_S)
    finally:
        stop.set()
        await filling
    return root


def ask(root: Path) -> tuple[list[str], Sequence[tuple[Any, ...]]]:
    """Return the column names and the rows of `QUESTION`; raises LakeError."""
    from revertrisk.lake import Reader

    with closing(Reader(str(root))) as reader:
        answered = reader.query(QUESTION)
        return [column[0] for column in answered.description or ()], answered.fetchall()


def _predictions(root: Path) -> int:
    from revertrisk.lake import Reader

    with closing(Reader(str(root))) as reader:
        return int(reader.query("SELECT count(*) FROM prediction").fetchall()[0][0])
