"""What the views say of edits whose pages are deleted and brought back."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from revertrisk.lake import connect
from revertrisk.lake.check import check
from revertrisk.lake.tables import Lake
from revertrisk.lake.writer import LakeWriter
from tests.fakes.lake_events import (
    LANGUAGE_AGNOSTIC,
    MULTILINGUAL,
    as_lines,
    edits,
    page_change,
    prediction,
)
from tests.fakes.lake_oracle import differences
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


@pytest.mark.parametrize("suffix", ["", ".backfill"])
def test_a_prediction_on_an_undelete_meets_its_revision(lake: Lake, writer: LakeWriter, suffix: str) -> None:
    """A revision that is scored again when its page comes back is one row, on its own day, in each view."""
    edit = PAGE[1]
    again = [
        at(prediction(edit, model, suffix=suffix) | {"page_change_kind": "undelete"}, 2000)
        for model in (LANGUAGE_AGNOSTIC, MULTILINGUAL)
    ]
    undeletion = at(page_change(edit, kind="undelete"), 2000)
    events = [page_change(edit), prediction(edit), prediction(edit, MULTILINGUAL), undeletion, *again, *again]
    writer.write(batch_of(as_lines(events)))
    tables = connect(lake.root)
    assert tables.execute(
        "SELECT model_name, count(*), count(e.rev_id) FROM prediction_current p "
        "LEFT JOIN revision e USING (wiki_id, rev_id, day) GROUP BY ALL ORDER BY ALL"
    ).fetchall() == [(LANGUAGE_AGNOSTIC, 1, 1), (MULTILINGUAL, 1, 1)]
    assert tables.execute(
        "SELECT count(*), count(language_agnostic), count(multilingual) FROM both_models"
    ).fetchall() == [(1, 1, 1)]
    found = tables.execute("SELECT reason, sum(edits)::BIGINT FROM coverage GROUP BY ALL").fetchall()
    assert found == [("predicted", 2)]


def test_an_edit_that_is_known_from_its_undelete_only_counts_as_predicted(
    lake: Lake, writer: LakeWriter
) -> None:
    """Coverage and outcome find the score of an old revision that the lake first hears of when it is brought back."""
    edit = PAGE[1]
    undeletion = at(page_change(edit, kind="undelete"), 2000)
    writer.write(
        batch_of(as_lines([undeletion, at(prediction(edit) | {"page_change_kind": "undelete"}, 2000)]))
    )
    tables = connect(lake.root)
    assert tables.execute("SELECT reason, edits FROM coverage").fetchall() == [("predicted", 1)]
    query = "SELECT count(*) FROM outcome o JOIN prediction_current p USING (wiki_id, rev_id, day) WHERE p.dt > o.dt"
    assert tables.execute(query).fetchall() == [(1,)]


def test_edits_of_other_projects_are_not_missing(lake: Lake, writer: LakeWriter) -> None:
    """Coverage says of an edit of Wikidata or of an unknown wiki why no model scored it."""
    events = [page_change(edit) for edit in PAGE] + [prediction(PAGE[1])]
    for event, (wiki_id, domain) in zip(
        events[2:], [("wikidatawiki", "www.wikidata.org"), ("nosuchwiki", "nosuch.example")], strict=False
    ):
        event |= {"wiki_id": wiki_id, "meta": event["meta"] | {"domain": domain}}
    writer.write(batch_of(as_lines(events)))
    found = connect(lake.root).execute("SELECT wiki_id, reason, edits FROM coverage ORDER BY ALL").fetchall()
    assert found == [
        (PAGE[0].wiki_id, "no_parent", 1),
        (PAGE[1].wiki_id, "predicted", 1),
        ("nosuchwiki", "unknown_wiki", 1),
        ("wikidatawiki", "not_wikipedia", 1),
    ]


def test_a_revert_undoes_only_edits_before_it(lake: Lake, writer: LakeWriter) -> None:
    """In old histories ids are not in the order of time: a range of ids can include the revert, or a later edit."""
    first, second, third, last = PAGE
    revert = replace(
        third, rev_id=second.rev_id + 100, reverts=(first.rev_id, second.rev_id, last.rev_id + 200)
    )
    later = replace(last, rev_id=last.rev_id + 50)
    newest_undone = replace(second, rev_id=last.rev_id + 200)
    events = [page_change(edit) for edit in (first, second, newest_undone, revert, later)]
    writer.write(batch_of(as_lines(events)))
    writer.write(batch_of(as_lines([page_change(replace(last, reverts=None), after_s=5)])))
    tables = connect(lake.root)
    seconds = (third.moment - second.moment).total_seconds()
    assert tables.execute(
        "SELECT rev_id, first_revert_id, seconds_to_revert, revert_reverted_at FROM reverted ORDER BY rev_id"
    ).fetchall() == [
        (second.rev_id, revert.rev_id, seconds, None),
        (newest_undone.rev_id, revert.rev_id, seconds, None),
    ]
    assert differences(tables, [*events, page_change(replace(last, reverts=None), after_s=5)]) == []
    assert list(check(lake)) == []
