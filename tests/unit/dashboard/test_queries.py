"""The page's questions to the lake."""

from datetime import UTC, datetime

import pytest

from revertrisk.dashboard.queries import BIN_MINUTES, CHARTS, Choice, ChoiceError, chart_sql, read_choice
from revertrisk.dashboard.thresholds import Thresholds
from revertrisk.wiki.user_kinds import UserKind

NEWEST = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize("name", CHARTS)
def test_what_is_not_chosen_is_not_in_the_question(name: str) -> None:
    """Without a choice a question is about all; with one, it has the choice as literals, and no place is left."""
    everything = chart_sql(name, Choice("m"), Thresholds(), NEWEST)
    assert "enwiki" not in everything
    chosen = chart_sql(name, Choice("m", 1, "enwiki", UserKind.IP), Thresholds(), NEWEST)
    assert "wiki_id = 'enwiki'" in chosen
    assert "user_kind = 'ip'" in chosen
    assert "TIMESTAMPTZ '2026-11-20T11:00:00.001Z'" in chosen
    for text in (everything, chosen):
        assert ":" not in text.replace("2026-11-20T11:00:00.001Z", "").replace("12:00:00.001Z", "")


def test_a_quote_stays_in_its_literal() -> None:
    """A model's name is a literal, whatever it is."""
    assert "'it''s;--'" in chart_sql("at_risk", Choice("it's;--"), Thresholds(), NEWEST)


def test_choices() -> None:
    """What a query does not choose is the default."""
    assert read_choice({}, "m") == Choice("m")
    query = {"wiki": "enwiki", "model": "n", "user": "temporary", "hours": "168"}
    assert read_choice(query, "m") == Choice("n", 168, "enwiki", UserKind.TEMPORARY)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("wiki", "x' OR 1"),
        ("wiki", "../x"),
        ("model", "a b"),
        ("user", "admin"),
        ("hours", "7"),
        ("hours", "1e9"),
    ],
)
def test_other_choices_are_refused(field: str, value: str) -> None:
    """What cannot be chosen is refused, and the field is named."""
    with pytest.raises(ChoiceError, match=f"^{field}: expected"):
        read_choice({field: value}, "m")


def test_a_chart_has_some_hundred_bins_at_most() -> None:
    """However far back a chart goes."""
    assert all(hours * 60 / minutes <= 100 for hours, minutes in BIN_MINUTES.items())
