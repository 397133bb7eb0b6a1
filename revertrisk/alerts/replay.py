"""``revertrisk surge replay``: lists the incidents that a watch would have found in the sources."""

import asyncio
import sys
from collections.abc import Sequence
from time import monotonic
from typing import Any

import orjson

from revertrisk.alerts.errors import EXIT_BROKEN, EXIT_DONE, AlertsError, AlertsUsageError
from revertrisk.alerts.incidents import SURGES, Incident, instant
from revertrisk.alerts.reading import SourceReader, open_sources
from revertrisk.alerts.settings import WatchSettings
from revertrisk.alerts.store import IN_MEMORY, Store
from revertrisk.alerts.watch import Watch
from revertrisk.alerts.wording import counted
from revertrisk.streams.base import SourceError
from revertrisk.streams.opening import SourceSettings

_COMMIT_EVERY = 50_000
"""The number of events between two commits, which write the completed days of the history."""


async def found_in(
    sources: Sequence[str], settings: WatchSettings, opening: SourceSettings
) -> list[Incident]:
    """Return the incidents in the sources, in the order in which they begin.

    Raises:
        AlertsUsageError: a source cannot be opened.
        SourceError: a source cannot be read.

    """
    if any(written.startswith("eventstreams:") for written in sources):
        raise AlertsUsageError(
            "source: EventStreams has no end; write its events to a file, and replay the file"
        )
    with Store(IN_MEMORY) as store:
        watch = Watch(settings, store, live_since=0, now=monotonic())
        opened = open_sources(sources, store, opening)

        readers = [SourceReader(source, watch, is_replay=True) for source in opened]

        async def read(reader: SourceReader) -> None:
            count = 0
            # To read a position is to process its event.
            async for _ in reader.positions():
                count += 1
                if count % _COMMIT_EVERY == 0:
                    watch.save()
                    store.commit()

        try:
            await asyncio.gather(*(read(reader) for reader in readers))
        finally:
            for source in opened:
                await source.source.close()
        watch.save()
        return [Incident(**document) for document in store.incidents()]


def replay(sources: Sequence[str], settings: WatchSettings, opening: SourceSettings, *, as_json: bool) -> int:
    """Write the incidents in the sources to standard output; return the exit status."""
    try:
        incidents = asyncio.run(found_in(sources, settings, opening))
    except AlertsError as exc:
        sys.stderr.write(f"revertrisk: {exc}\n")
        return exc.exit_status
    except SourceError as exc:
        sys.stderr.write(f"revertrisk: {exc}\n")
        return EXIT_BROKEN
    for incident in incidents:
        line = _document(incident)
        sys.stdout.write(f"{orjson.dumps(line).decode() if as_json else _row(line)}\n")
    if not as_json:
        sys.stdout.write(f"{counted(len(incidents), 'incident') if incidents else 'no incidents'}\n")
    return EXIT_DONE


def _document(incident: Incident) -> dict[str, Any]:
    document: dict[str, Any] = {
        "incident_id": incident.id,
        "wiki_id": incident.scope,
        "series": incident.series,
        "start": instant(incident.since),
        "found": instant(incident.found),
        "end": None if incident.ended is None else instant(incident.ended),
        "provisional": incident.is_provisional,
    }
    if incident.series in SURGES:
        document["peak_ratio"] = round(max(incident.peak_ratio, incident.ratio), 2)
        document["excess"] = round(incident.observed - incident.expected)
    if incident.cause:
        document["cause"] = incident.cause
    return document


def _row(line: dict[str, Any]) -> str:
    end = line["end"] or "still open"
    size = f"  {line['peak_ratio']:g} times, {line['excess']:+,}" if "peak_ratio" in line else ""
    return f"{line['start'][:16]}  {end[:16]:16}  {line['wiki_id']:16}  {line['series']:12}{size}"
