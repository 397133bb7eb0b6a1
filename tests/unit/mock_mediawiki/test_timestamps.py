"""Timestamps as MediaWiki takes them in parameters."""

import pytest

from mock_mediawiki.timestamps import digits, read_timestamp


@pytest.mark.parametrize(
    "text",
    [
        "2026-08-01T10:00:00Z",
        "2026-08-01T10:00:00.000Z",
        "2026-08-01T10:00:00+00:00",
        "2026-08-01 10:00:00",
        "20260801100000",
        "20260801T100000Z",
        "1785578400",
    ],
)
def test_every_form_means_the_same_moment(text: str) -> None:
    """ISO 8601 with and without signs, MediaWiki's digits, and seconds since 1970."""
    assert read_timestamp(text) == "2026-08-01T10:00:00Z"
    assert digits(read_timestamp(text)) == "20260801100000"


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-08-01", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "9999999999999", "١٢"],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    """Words, days without a time, and days that no calendar has."""
    with pytest.raises(ValueError, match=r"."):
        read_timestamp(text)


def test_now_is_now() -> None:
    """It lies between all moments of the samples and the end of the century."""
    assert "2026-01-01" < read_timestamp("now") < "2100"
