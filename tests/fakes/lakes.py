"""Lakes filled by the real writer from events."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.run import RunSettings, fill
from revertrisk.lake.tables import Lake
from revertrisk.lake.writer import Batch, LakeWriter, RecordPlace
from tests.fakes.lake_events import as_lines


def filled_lake(folder: Path, events: Iterable[dict[str, Any]]) -> str:
    """Return the folder of a lake that has taken some events."""
    lines = folder / "events.jsonl"
    lines.write_bytes(b"\n".join(as_lines(events)) + b"\n")
    root, key = str(folder / "lake"), str(folder / "key")
    settings = RunSettings(sources=(f"jsonl:{lines}",), to=root, key_file=key)
    asyncio.run(fill(settings, make_lake(root, key), asyncio.Event()))
    return root


def write_lines(lake: Lake, lines: list[bytes], source: str = "made", *, batch: int = 20_000) -> None:
    """Write events into a lake, in batches of so many."""
    writer = LakeWriter(lake)
    for begin in range(0, len(lines), batch):
        part = lines[begin : begin + batch]
        places = [RecordPlace(source, begin + number) for number in range(len(part))]
        writer.write(Batch(part, places, resume={source: str(begin + len(part))}))
    writer.close()
