"""Both engines check the formats with the same verdicts."""

from collections.abc import Callable

import hypothesis
import pytest
from hypothesis import strategies as st

from revertrisk.event_platform.formats import is_date_time, is_uri_reference
from revertrisk.event_platform.schemas import EventValidator
from revertrisk.runtime.instants import is_instant

DATE_TIME_TEXTS = st.from_regex(
    r"\A[0-2][0-9]{3}-[01][0-9]-[0-3][0-9][Tt _\u00a0][0-2][0-9]:[0-5][0-9]:[0-6][0-9]"
    r"(\.[0-9]{0,9})?([Zz]|[+-][0-9]{2}:?[0-9]{2})?\n?\Z"
)
URI_TEXTS = st.text(st.sampled_from("a/:?#\\[%é \t\n\v\x1c\x85\u00a0\u180e\u2028\u200a\u200b\ufeff"))


@pytest.mark.parametrize(
    ("name", "function", "texts"),
    [
        ("date-time", is_date_time, DATE_TIME_TEXTS),
        ("instant", is_instant, DATE_TIME_TEXTS),
        ("uri-reference", is_uri_reference, URI_TEXTS),
    ],
)
def test_both_engines_know_the_same_formats(
    name: str, function: Callable[[str], bool], texts: st.SearchStrategy[str]
) -> None:
    """jsonschema-rs, jsonschema and the functions that both call agree on every text."""
    validator = EventValidator({"format": name})

    @hypothesis.given(texts | st.text(max_size=30))
    @hypothesis.example("2024-02-29T00:00:00Z")
    @hypothesis.example("2023-02-29T00:00:00Z")
    @hypothesis.example("2023-02-28T23:59:59.123456789Z")
    @hypothesis.example("2016-12-31T23:59:60Z")
    @hypothesis.example("2016-12-31T22:59:60Z")
    @hypothesis.example("2016-12-31T24:00:00Z")
    @hypothesis.example("0000-01-01T00:00:00Z")
    @hypothesis.example("2021-01-01T00:00:00Z\n")
    @hypothesis.example("\n2021-01-01T00:00:00Z")
    @hypothesis.example("\u0662021-01-01T00:00:00Z")
    @hypothesis.example("2021-01-01T00:00:00+99:99")
    @hypothesis.example("a\n#\\")
    def agree(text: str) -> None:
        assert validator.is_valid(text) == (validator.violations(text) == []) == function(text)

    agree()
    assert validator.is_valid(5)


def test_a_format_is_checked_wherever_a_schema_has_it() -> None:
    """Beside a pattern of its own, in a field that is called format, and nowhere in a value."""
    value = {"format": "date-time"}
    validator = EventValidator(
        {
            "properties": {
                "format": {"format": "date-time", "pattern": "^2"},
                "either": {"anyOf": [{"format": "instant"}, {"const": value}], "format": "instant"},
                "one": {"enum": [value, "a b"]},
            }
        }
    )
    date = "2021-01-01T00:00:00Z"
    for valid in ({"format": date}, {"either": date}, {"either": value}, {"one": value}, {"one": "a b"}):
        assert validator.is_valid(valid)
        assert validator.violations(valid) == []
    for wrong in ({"format": "2"}, {"format": "1999-01-01T00:00:00Z"}, {"either": "2"}, {"one": {}}):
        assert not validator.is_valid(wrong)
        assert validator.violations(wrong)
