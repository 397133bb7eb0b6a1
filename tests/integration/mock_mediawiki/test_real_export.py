"""A real export: the whole history of one page of the English Wikipedia, 15,180 revisions."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mock_mediawiki.page_changes import page_changes
from revertrisk.wiki.exports.history import ExportHistory
from revertrisk.wiki.table import WikiTable
from tests.fakes.real_data import EDITS, PAGE, PAGE_LABELS

pytestmark = pytest.mark.ci("real data")

MEGABYTE = 1024  # VmHWM is in kilobytes
OPEN = """
import sys
from pathlib import Path
from revertrisk.wiki.table import WikiTable
from mock_mediawiki.app import open_history
with open_history(Path(sys.argv[1]), WikiTable.load()):
    pass
# Not ru_maxrss: that remembers what the parent was before the exec.
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


@pytest.fixture(scope="module")
def cache(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Index the export in a process of its own, watching its memory, and return the cache folder."""
    folder = tmp_path_factory.mktemp("cache")
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(EDITS / PAGE)],
        env={**os.environ, "XDG_CACHE_HOME": str(folder)},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert int(done.stdout) < 100 * MEGABYTE
    return folder / "revertrisk"


@pytest.fixture(scope="module")
def history(cache: Path) -> Iterator[ExportHistory]:
    """Return the history of the export."""
    (index,) = cache.iterdir()
    opened = ExportHistory(index)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def events(history: ExportHistory) -> list[dict[str, Any]]:
    """Return all its events."""
    return list(page_changes(history, WikiTable.load()))


def test_every_revision_is_indexed_in_bounded_memory(history: ExportHistory) -> None:
    """A gigabyte of text is read in less than 100 MB of memory; 624 texts are empty, one author is hidden."""
    revisions = list(history.changes())

    assert len(revisions) == 15_180
    assert [revision.position for revision in revisions] == list(range(1, 15_181))
    assert sum(history.text(revision) == "" for revision in revisions) == 624
    assert [revision.position for revision in revisions if revision.hidden] == [14_239]
    assert sum(a.rev_id > b.rev_id for a, b in pairwise(revisions)) > 0


def test_hashes_and_parents_are_those_known_elsewhere(history: ExportHistory) -> None:
    """Hash, parent and size of every revision agree with what others computed from the same page."""
    with gzip.open(EDITS / PAGE_LABELS, "rt", encoding="utf-8") as lines:
        for line in lines:
            known = json.loads(line)
            revision = history.revision("enwiki", known["rev_id"])
            assert revision is not None
            assert int(revision.sha1 or "", 36) == int(known["sha1_hex"], 16)
            assert revision.parent_id == (known["parent_id"] or 0)
            assert revision.size == known["size"]


def test_the_events_tell_which_edits_were_reverted(events: list[dict[str, Any]]) -> None:
    """L10, L11: the reverts cover the edits that others labelled as reverted within 15 edits, and no other."""
    order = [event["revision"]["rev_id"] for event in events]
    place = {rev_id: number for number, rev_id in enumerate(order)}
    reverted: set[int] = set()
    for event in events:
        if revert := event["revision"].get("revert"):
            oldest, newest = place[revert["rev_reverted_oldest_id"]], place[revert["rev_reverted_newest_id"]]
            assert place[revert["rev_original_id"]] < oldest <= newest < place[event["revision"]["rev_id"]]
            reverted.update(order[oldest : newest + 1])
    with gzip.open(EDITS / PAGE_LABELS, "rt", encoding="utf-8") as lines:
        labelled = {known["rev_id"] for known in map(json.loads, lines) if known["label"]}

    assert reverted == labelled
    assert len(reverted) == 3_810


def test_the_first_3000_events_are_as_the_page_was(events: list[dict[str, Any]]) -> None:
    """One creation, then edits; 584 of them are null edits, by the hashes in the event itself."""
    first = events[:3000]

    assert [event["page_change_kind"] for event in first] == ["create"] + ["edit"] * 2999
    null_edits = [
        event
        for event in first[1:]
        if event["revision"]["rev_sha1"] == event["prior_state"]["revision"]["rev_sha1"]
    ]
    assert len(null_edits) == 584
    assert len({event["meta"]["id"] for event in events}) == len(events)
