"""`revertrisk outcomes` on a lake: what changes a figure and what does not."""

from contextlib import closing
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from revertrisk.lake import Reader
from revertrisk.lake.tables import Lake
from revertrisk.reports.document import as_text
from revertrisk.reports.lake_edits import Period, read_models, read_scored
from revertrisk.reports.outcomes import ALL, Outcomes, ReportOptions, outcomes
from revertrisk.reports.outcomes_document import outcomes_document
from tests.fakes.lake_events import LANGUAGE_AGNOSTIC, MULTILINGUAL
from tests.fakes.outcome_lake import Made, account, events_of, fill, rev_ids_of

DAY = 86_400.0
UNTIL = 40 * DAY
ASKED = ReportOptions(thresholds=(0.65,), horizons=(2 * DAY, 30 * DAY))


EVERY_DAY = Period()


def report(lake: Lake, asked: ReportOptions = ASKED, period: Period = EVERY_DAY) -> Outcomes:
    with closing(Reader(lake.root)) as reader:
        return outcomes([read_scored(reader, model, period) for model in read_models(reader)], asked)


def figures(found: Outcomes) -> list[Any]:
    """Return everything except the number of predictions without an edit."""
    return [[(each.model.model_name, each.cells, each.differences) for each in found.models], found.pairs]


@pytest.fixture(scope="module")
def before(lake: Lake) -> Outcomes:
    return report(lake)


def test_every_cell_is_there(before: Outcomes) -> None:
    """Both models, all wikis and each, all kinds and each, both horizons; and the models on the same edits."""
    assert [each.model.model_name for each in before.models] == [LANGUAGE_AGNOSTIC, MULTILINGUAL]
    for model in before.models:
        keys = {(each.wiki_id, each.kind) for each in model.cells}
        assert {(wiki, kind) for wiki in (ALL, "dewiki", "enwiki") for kind in (ALL, "ip", "bot")} < keys
        assert [at.horizon_s / DAY for at in model.cells[0].horizons] == [2, 30]
        whole = model.cells[0].horizons[0].reverters
        assert all(each.share_reverted.value is not None for each in whole.values())
        shares = [
            whole[name].share_reverted.value or 0 for name in ("people", "not_acting_on_the_score", "anyone")
        ]
        assert shares == sorted(shares)
        assert 0 < shares[0] < shares[2] < 1
    assert {each.wiki_id for each in before.pairs} == {ALL, "dewiki", "enwiki"}


def test_a_planted_difference_is_flagged(before: Outcomes) -> None:
    """Temporary accounts of enwiki, who are reverted more than twice as often as others, are found."""
    flagged = {(each.wiki_id, each.kind) for each in before.models[0].differences if each.is_flagged}
    assert ("enwiki", "temporary") in flagged


def test_a_stalled_stream_changes_no_figure(copied: Lake, made: list[Made], before: Outcomes) -> None:
    """Predictions of ten more days without page_change events change no figure. They are counted separately."""
    late = [event for event in events_of(made) if event["dt"] > "2026-11-10"]
    predictions = [event for event in late if "predicted_classification" in event]
    assert len(predictions) > 20
    fill(copied, predictions, "predictions")
    after = report(copied)
    assert figures(after) == figures(before)
    assert sum(each.unrecorded for each in after.models) == len(predictions)
    words = "predictions are for edits that are not in the record. No figure includes them."
    assert words in " ".join(as_text(outcomes_document(after)).split())


def test_one_wrong_clock_changes_no_figure(copied: Lake, made: list[Made], before: Outcomes) -> None:
    """An event that says that it was received in 2150 makes no edit older than the streams are."""
    wrong = next(event for event in events_of(made) if "predicted_classification" not in event)
    wrong["meta"] |= {"id": "wrong", "dt": "2150-01-01T00:00:00Z"}
    wrong["revision"]["rev_id"] = 1
    fill(copied, [wrong], "wrong")
    assert figures(report(copied)) == figures(before)


def test_a_late_revert_moves_the_late_figure_only(copied: Lake, made: list[Made], before: Outcomes) -> None:
    """An edit that is reverted on day 20 counts at 30 days and not at 48 hours."""
    reverted = {each.undoes for each in made}
    place = next(
        place
        for place, each in enumerate(made)
        if each.after_s < 5 * DAY
        and each.undoes is None
        and place not in reverted
        and each.wiki_id == "enwiki"
    )
    rev_ids = rev_ids_of(made)
    late = replace(
        made[place], after_s=made[place].after_s + 20 * DAY, user=account("Patroller 1"), undoes=place
    )
    (event,) = [
        event
        for event in events_of([*made, late], models=())
        if event["revision"].get("revert") and event["dt"] == event["revision"]["rev_dt"]
        if event["revision"]["rev_id"] == rev_ids_of([*made, late])[len(made)]
    ]
    event["revision"]["rev_id"] += 1  # between those that are there
    event["revision"]["revert"] |= {
        "rev_reverted_oldest_id": rev_ids[place],
        "rev_reverted_newest_id": rev_ids[place],
        "rev_original_id": rev_ids[place] - 1,
    }
    fill(copied, [event], "late")
    after = report(copied)
    for model_before, model_after in zip(before.models, after.models, strict=True):
        was, now = (each.cells[0].horizons for each in (model_before, model_after))
        assert was[0] == now[0]
        shares = [each[1].reverters["anyone"].share_reverted for each in (was, now)]
        assert shares[0].value is not None
        assert shares[1].value is not None
        assert shares[0].value < shares[1].value
        assert shares[0].reverted + 1 == shares[1].reverted


def test_a_shadow_model_changes_nothing(copied: Lake, made: list[Made], before: Outcomes) -> None:
    """Predictions of a model on trial, on streams that end in .shadow, are in no figure."""
    shadow = events_of(made, suffix=".shadow", version="9", until_s=UNTIL)
    fill(copied, [event for event in shadow if "predicted_classification" in event], "shadow")
    assert report(copied) == before


def test_versions_are_kept_apart(copied: Lake, made: list[Made], before: Outcomes) -> None:
    """Scores of two versions of a model are never mixed. The versions are compared on the edits that both scored."""
    newer = events_of(made[:800], models=(LANGUAGE_AGNOSTIC,), version="4", until_s=UNTIL)
    rev_ids = rev_ids_of(made)
    by_new = {rev_id: rev_ids[place] for place, rev_id in rev_ids_of(made[:800]).items()}
    predictions = [event for event in newer if "predicted_classification" in event]
    for event in predictions:
        event["revision"]["rev_id"] = by_new[event["revision"]["rev_id"]]
    fill(copied, predictions, "newer")
    after = report(copied)
    assert [(each.model.model_name, each.model.model_version) for each in after.models] == [
        (LANGUAGE_AGNOSTIC, "3"),
        (LANGUAGE_AGNOSTIC, "4"),
        (MULTILINGUAL, "3"),
    ]
    assert after.models[0] == before.models[0]
    (pair, *_) = after.pairs
    assert (pair.first, pair.second) == ((LANGUAGE_AGNOSTIC, "3"), (LANGUAGE_AGNOSTIC, "4"))
    assert pair.n == len(predictions)


def test_a_period_is_of_edits(lake: Lake) -> None:
    """Days before and after the period are left out, with their predictions."""
    found = report(lake, period=Period(date(2026, 10, 5), date(2026, 10, 6))).models[0]
    assert 0 < found.n < 200
