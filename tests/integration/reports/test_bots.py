"""`revertrisk bots` on a lake: the overlap adds up, bots can be listed later, and one query gives the same numbers."""

from collections import Counter
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from revertrisk.lake import Reader
from revertrisk.lake.bots import Bot, write_bots
from revertrisk.lake.tables import Lake
from revertrisk.reports.bot_rows import read_bots, read_days, read_overlap, read_reverted
from revertrisk.reports.bots import ALL, Bots, bots
from revertrisk.reports.bots_document import bots_document
from revertrisk.reports.document import as_text
from revertrisk.reports.figures import MIN_EDITS
from revertrisk.reports.lake_edits import Period
from tests.fakes.lake_events import MULTILINGUAL
from tests.fakes.outcome_lake import BOT_OF_MODEL, BOT_OF_RULES, edits, events_of, list_bots, new_lake

OCTOBER = Period(date(2026, 10, 1), date(2026, 10, 31))
QUERY = Path(__file__).resolve().parents[3] / "docs/queries/T374698.sql"


def report(
    lake: Lake, *, automoderator_rules: bool = False, threshold: float = 0.87, period: Period = OCTOBER
) -> Bots:
    with closing(Reader(lake.root)) as reader:
        listed = read_bots(reader)
        wikis = sorted({each.wiki_id for each in listed})
        days = read_days(reader, period)
        rows = read_reverted(reader, wikis, 86_400.0, period)
        overlap = read_overlap(
            reader,
            wikis,
            model_name=MULTILINGUAL,
            threshold=threshold,
            window_s=86_400.0,
            period=period,
            automoderator_rules=automoderator_rules,
        )
    return bots(
        wikis, listed, rows, overlap, days, model_name=MULTILINGUAL, automoderator_rules=automoderator_rules
    )


def test_a_period_is_one_of_reverts(lake: Lake) -> None:
    """A period of one day has all reverts of that day, also of edits of the day before, and no others."""
    with closing(Reader(lake.root)) as reader:
        ((day, counted),) = reader.query(
            "SELECT u.day, count(*) FROM reverted r JOIN revision e USING (wiki_id, rev_id) "
            "JOIN revert u ON r.wiki_id = u.wiki_id AND r.first_revert_id = u.rev_id "
            "WHERE r.seconds_to_revert <= 86400 AND e.parent_id <> 0 AND e.is_content_namespace "
            "AND r.wiki_id IN (SELECT wiki_id FROM bot) GROUP BY ALL HAVING bool_or(r.day < u.day) LIMIT 1"
        ).fetchall()
        wikis = sorted({each.wiki_id for each in read_bots(reader)})
        rows = read_reverted(reader, wikis, 86_400.0, Period(day, day))
    assert (len(rows.page), len(set(rows.revert_day.tolist()))) == (counted, 1)


def test_the_overlap_adds_up_to_all_reverted_edits(lake: Lake) -> None:
    """For each wiki and day the six parts add up to the edits that the lake has as reverted."""
    with closing(Reader(lake.root)) as reader:
        counted = reader.query(
            "SELECT r.wiki_id, CAST(r.day AS VARCHAR), count(*) FROM reverted r "
            "JOIN revision e ON r.wiki_id = e.wiki_id AND r.rev_id = e.rev_id "
            "WHERE r.seconds_to_revert <= 86400 AND NOT coalesce(r.is_self, false) AND e.parent_id <> 0 "
            "AND NOT coalesce(e.is_null_edit, false) AND e.is_content_namespace AND month(r.day) = 10 GROUP BY 1, 2"
        ).fetchall()
    wanted = {(wiki_id, day): number for wiki_id, day, number in counted}
    found = report(lake)
    assert {(each.wiki_id, each.day): each.reverted for each in found.overlap_days if each.reverted} == wanted
    for each in found.overlap_days:
        parts = (each.bot_and_model, each.bot_only, each.bot_without_score)
        parts += (each.model_only, each.neither, each.others_without_score)
        assert sum(parts) == each.reverted
    sums: Counter[str] = Counter()
    for each in found.overlap_days:
        sums[each.wiki_id] += each.reverted
    assert {each.wiki_id: each.counts["reverted"] for each in found.overlap} == sums


def test_it_says_what_the_one_query_says(lake: Lake) -> None:
    """docs/queries/T374698.sql gives the same numbers, median, mode and both shares."""
    check_query(lake)


def test_it_says_what_the_one_query_says_of_edits_that_are_not_scored(tmp_path: Path) -> None:
    """Reverted edits of redirects count in both."""
    events = events_of(edits(1_500, days=20))
    for event in events:
        if event["page"]["page_id"] % 3 == 0:
            event["page"]["is_redirect"] = True
    lake = new_lake(tmp_path, events)
    list_bots(lake)
    with closing(Reader(lake.root)) as reader:
        ((number,),) = reader.query(
            "SELECT count(*) FROM reverted r JOIN revision e USING (wiki_id, rev_id) "
            "WHERE r.by_bot AND e.skip_reason IS NOT NULL"
        ).fetchall()
    assert number > 30
    check_query(lake)


def test_the_one_query_says_that_its_period_is_outside_the_record(lake: Lake) -> None:
    """For other dates it has a row for each wiki, with no days and with the days of the record."""
    text = QUERY.read_text().replace("DATE '2026-10", "DATE '2010-10")
    with closing(Reader(lake.root)) as reader:
        rows = reader.query(text).fetchall()
    ends = (date(2026, 10, 1), date(2026, 11, 9))
    assert [row[:4] for row in rows] == [("dewiki", *ends, 0), ("enwiki", *ends, 0)]
    assert {value for row in rows for value in row[4:]} == {None}


def check_query(lake: Lake) -> None:
    """Compare the report of October with the query."""
    with closing(Reader(lake.root)) as reader:
        cursor = reader.query(QUERY.read_text())
        names = [column[0] for column in cursor.description or ()]
        rows = {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}
    found = report(lake)
    assert {each.wiki_id for each in found.overlap} == set(rows)
    reverts = {each.wiki_id: each for each in found.reverts if (each.bot, each.kind) == (ALL, ALL)}
    for each in found.overlap:
        row = rows[each.wiki_id]
        assert each.counts["bot_and_model"] == row["edits_of_both"]
        assert each.counts["bot_and_model"] + each.counts["bot_only"] == row["edits_undone_by_bot"]
        both, bot = each.counts["bot_and_model"], each.counts["bot_only"]
        flagged = both + each.counts["model_only"] + each.counts["flagged_not_reverted"]
        for figure, value, name in (
            (
                each.share_of_bot_reverts_flagged,
                both / (both + bot),
                "share_of_the_bots_that_the_model_flags",
            ),
            (
                each.share_of_flagged_reverted_by_bots,
                both / flagged,
                "share_of_the_models_that_the_bot_undid",
            ),
        ):
            assert value == pytest.approx(row[name])
            assert figure.value == (pytest.approx(value) if min(both, figure.n - both) >= MIN_EDITS else None)
        daily = each.a_day["edits_reverted_by_bot"]
        assert daily.mean.days == each.days == row["days"]
        assert reverts[each.wiki_id].bot_reverts <= row["edits_undone_by_bot"]
        assert daily.mean.median == row["bot_reverts_a_day_median"]
        assert daily.mode in (row["bot_reverts_a_day_mode"], daily.mode)


def test_a_bot_that_is_listed_later_is_named_in_old_days(copied: Lake) -> None:
    """The list is read when the report is made. A bot counts only on the days for which it is listed."""
    both = report(copied)
    write_bots(copied, [Bot(wiki_id="enwiki", name=BOT_OF_RULES)])
    one = report(copied)
    write_bots(
        copied,
        [
            Bot(wiki_id="enwiki", name=BOT_OF_RULES),
            Bot(wiki_id="enwiki", name=BOT_OF_MODEL, valid_from=date(2026, 10, 16), acts_on="model"),
        ],
    )
    later = report(copied)

    def by_bot(found: Bots, wiki_id: str, before: str) -> int:
        return sum(
            each.bot_and_model + each.bot_only
            for each in found.overlap_days
            if each.wiki_id == wiki_id and each.day < before
        )

    whole, middle = "2026-11-01", "2026-10-16"
    assert by_bot(one, "enwiki", whole) < by_bot(later, "enwiki", whole) < by_bot(both, "enwiki", whole)
    assert by_bot(one, "enwiki", middle) == by_bot(later, "enwiki", middle)
    assert [each.wiki_id for each in one.overlap] == ["enwiki"]
    steps = {each.rule: each.bot_reverts for each in later.rules}
    assert steps["validity"] < steps["null edits"] == steps["self-reverts"]


def test_the_days_are_those_of_the_period_in_the_record(lake: Lake) -> None:
    """They are the same for each threshold; days without any edit count as 0; other wikis and periods are left out."""
    for period, wanted in (
        (OCTOBER, 31),
        (Period(date(2026, 10, 20), date(2026, 12, 31)), 21),
        (Period(), 40),
    ):
        for threshold in (0.1, 0.87, 0.9999):
            found = report(lake, threshold=threshold, period=period)
            assert {each.days for each in (*found.overlap, *found.reverts)} == {wanted}
            assert len(found.overlap_days) == wanted * len(found.overlap)
    assert found.days == dict.fromkeys(("dewiki", "enwiki"), ("2026-10-01", "2026-11-09"))
    few = found.overlap[0].a_day["edits_flagged"]
    assert (few.mean.median, few.mode) == (0, 0)
    before = report(lake, period=Period(until=date(2020, 1, 1)))
    assert (before.days, before.overlap, before.reverts) == ({}, (), ())
    text = as_text(bots_document(before))
    assert "Listed, but without page_change events in the period: dewiki, enwiki." in " ".join(text.split())


def test_each_day_has_its_reverts(lake: Lake) -> None:
    """The reverts of all days add up to those of the wiki, by kind and edit count of the reverted editor."""
    found = report(lake)
    for whole in found.reverts:
        if (whole.bot, whole.edit_bucket) != (ALL, ALL) or whole.kind == ALL:
            continue
        days = [
            each for each in found.revert_days if (each.wiki_id, each.kind) == (whole.wiki_id, whole.kind)
        ]
        sums = [
            sum(getattr(each, name) for each in days)
            for name in ("reverts", "bot_reverts", "bot_reverts_reverted")
        ]
        assert sums == [whole.reverts, whole.bot_reverts, whole.bot_reverts_reverted]
    assert len({each.day for each in found.revert_days}) > 20


def test_automoderators_rules_are_a_switch(lake: Lake) -> None:
    """With them, edits by bots and privileged editors are not flagged; the reverted edits stay the same."""
    every, skipping = report(lake), report(lake, automoderator_rules=True)
    for one, other in zip(every.overlap, skipping.overlap, strict=True):
        assert one.counts["reverted"] == other.counts["reverted"]
        flags = [each.counts["bot_and_model"] + each.counts["flagged_not_reverted"] for each in (one, other)]
        assert flags[0] >= flags[1] > 0


def test_the_report_for_people(lake: Lake) -> None:
    """It names its averages and rules, and no users except the listed bots."""
    text = as_text(bots_document(report(lake)))
    for words in ("ratio of sums", "mean of daily shares", "notebook", "T374698", BOT_OF_RULES):
        assert words in text
    for name in ("Patroller", "198.51", "~2026"):
        assert name not in text
