"""What the views say of edits whose pages are deleted and brought back."""

from datetime import timedelta
from typing import Any

import pytest

from revertrisk.lake import connect
from revertrisk.lake.tables import Lake
from revertrisk.lake.writer import LakeWriter
from tests.fakes.lake_events import as_lines, edits, page_change
from tests.unit.lake.conftest import batch_of

PAGE = list(edits(4, pages=1))


def at(event: dict[str, Any], hours: float) -> dict[str, Any]:
    """Return an event of the page that happened so many hours after its first edit."""
    moment = (PAGE[0].moment + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
    return event | {"dt": moment, "meta": event["meta"] | {"dt": moment, "id": f"{hours}"}}


@pytest.mark.parametrize("is_told_twice", [True, False])
def test_each_edit_has_the_first_deletion_after_it(
    lake: Lake, writer: LakeWriter, is_told_twice: bool
) -> None:
    """A page that is deleted, brought back and deleted again ends the wait of its edits at one time each."""
    first, second, third, last = PAGE
    hours = [(edit.moment - first.moment).total_seconds() / 3600 for edit in PAGE]
    events = [page_change(edit) for edit in PAGE]
    deletions = (hours[1], hours[1] + 1, hours[2] + 2)
    events += [at(page_change(second, kind="delete"), when) for when in deletions]
    if is_told_twice:
        events += [at(page_change(first, kind="delete"), when) for when in deletions]
    writer.write(batch_of(as_lines(events)))
    found = connect(lake.root).execute(
        "SELECT rev_id, round(epoch(deleted_at - $1) / 3600, 3) FROM outcome ORDER BY rev_id", [first.moment]
    )
    assert found.fetchall() == [
        (first.rev_id, round(hours[1], 3)),
        (second.rev_id, round(hours[1], 3)),
        (third.rev_id, round(hours[2] + 2, 3)),
        (last.rev_id, None),
    ]
