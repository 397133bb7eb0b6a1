import pytest

from revertrisk.reports.statements import statement


def test_braces_in_a_value_are_not_filled_in() -> None:
    """The name of a model comes from an event. It can look like a placeholder, and is still only text."""
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
    """A query with an unfilled placeholder is never run."""
    with pytest.raises(KeyError):
        statement("watched", model_name="a")
