"""`make bench-surge`: a day of all Wikimedia replayed, 1.7 million events of 342 wikis with their predictions.

python -m tests.bench.surge [--events 1700000]
"""

import argparse
import asyncio
import resource
import tempfile
from pathlib import Path
from time import process_time
from typing import Final

import numpy as np

from revertrisk.alerts.replay import found_in
from revertrisk.alerts.settings import WatchSettings
from revertrisk.streams.opening import SourceSettings
from tests.fakes.edit_streams import Stream

WIKIS: Final = 342
DAYS: Final = 2
BEGIN: Final = 29_000_160
_PREDICTED: Final = 0.3


def rates(events_a_day: int) -> dict[str, float]:
    """Return the edits a minute of each wiki: a few are large and most are small, as wikis are."""
    weights = 1 / np.arange(1, WIKIS + 1) ** 1.2
    edits = events_a_day / (1 + _PREDICTED) / 1440
    return {f"w{number}wiki": float(edits * weight / weights.sum()) for number, weight in enumerate(weights)}


def main() -> None:
    """Write two days to a file, replay them, and print what the second day took."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=1_700_000, help="a day")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "events.jsonl")
        stream = Stream(BEGIN, DAYS * 1440, rates(given.events), predicted=_PREDICTED, disorder_s=4.0)
        number = 0
        with path.open("wb") as file:
            for line in stream.events():
                file.write(line + b"\n")
                number += 1
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun = process_time()
        incidents = asyncio.run(found_in([f"jsonl:{path}"], WatchSettings(), SourceSettings()))
        seconds = process_time() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(  # noqa: T201
        f"{number:,} events of {DAYS} days and {WIKIS} wikis: {seconds:.0f} s of CPU, "
        f"{seconds / number * 1e6:.0f} µs an event, {given.events * seconds / number:.0f} s for a day; "
        f"peak memory {peak / 1024:.0f} MiB ({before / 1024:.0f} before); {len(incidents)} incidents"
    )


if __name__ == "__main__":
    main()
