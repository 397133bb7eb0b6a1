import pytest

from revertrisk.reports.statements import statement


def test_a_value_is_never_filled_in_again() -> None:
    """A model's name comes from an event: one that is written like another value's place stays a text."""
    text = statement(
        "watched",
        wikis=("enwiki",),
        model_name="{model_version}",
        model_version=" OR error('read') IS NULL --",
        since="2026-10-01",
        until="2026-10-31",
    )
    assert "model_name = '{model_version}' AND model_version = ' OR error(''read'') IS NULL --'" in text


def test_a_value_that_is_missing_is_a_fault_of_the_program() -> None:
    """No statement runs with a place that nothing was written into."""
    with pytest.raises(KeyError):
        statement("watched", model_name="a")
