"""Counting a plan and a run from the same table."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from revertrisk.backfill.checkpoint import RevisionGroup
from revertrisk.backfill.counts import Counts

PLANNED_AT = datetime(2026, 11, 21, tzinfo=UTC)


def group(
    count: int, *, reason: str | None = None, outcome: str | None = None, day: str = "2006-01-01"
) -> RevisionGroup:
    return RevisionGroup("enwiki", 0, day, reason, outcome, count)


def counts(*groups: RevisionGroup, unfound: int = 0) -> Counts:
    return Counts.of(groups, unfound, PLANNED_AT)


def test_every_revision_counts_once() -> None:
    """To be sent or not, and what was sent with one outcome."""
    counted = counts(
        group(5),
        group(4, outcome="produced"),
        group(3, outcome="skipped:revision_hidden"),
        group(2, outcome="given_up:status_500"),
        group(7, reason="skipped:null_edit"),
        unfound=1,
    )
    assert (counted.found, counted.to_send, counted.left) == (21, 14, 5)
    assert counted.scored == 4
    assert counted.not_sent == {"skipped:null_edit": 7, "left_out:page_missing": 1}
    assert counted.skipped == counted.not_sent | Counter({"skipped:revision_hidden": 3})
    assert counted.failed == {"given_up:status_500": 2}


@pytest.mark.parametrize(("left", "requests"), [(0, 0), (1, 2), (25, 26), (26, 28)])
def test_a_revision_costs_a_request_and_its_share_of_a_look_up(left: int, requests: int) -> None:
    """25 revisions are looked up together, with their parents."""
    assert counts(group(left)).requests_to_come == requests
    assert counts(group(left)).plan_as_dict(5.0)["seconds_at_the_limit"] == requests / 5


@pytest.mark.parametrize(
    ("day", "age"),
    [
        ("2026-11-21", "up to a day"),
        ("2026-11-14", "up to a week"),
        ("2026-11-13", "up to a month"),
        ("2025-11-25", "up to a year"),
        ("2001-01-15", "older"),
    ],
)
def test_ages_are_those_at_the_plan(day: str, age: str) -> None:
    """So that they are the same when the run goes on a week later."""
    assert counts(group(1, day=day)).by_age == {age: 1}
