from datetime import UTC, datetime

import pytest

from revertrisk.dispatcher.rule_language.rule import PRODUCTION_RETRIES, QUICK_RETRIES
from revertrisk.runtime.headers import retry_after_s

NOW = datetime(2026, 9, 27, 16, 0, 0, tzinfo=UTC)


def test_production_waits_one_minute_and_then_six() -> None:
    """change-propagation's defaults are retries after 60 s and 360 s."""
    pauses = [
        PRODUCTION_RETRIES.pause_s(retry, retry_after_s=None, longest_s=0)
        for retry in range(PRODUCTION_RETRIES.limit)
    ]
    assert pauses == [60, 360]


@pytest.mark.parametrize(
    ("asked", "pause"), [(None, 1.0), (0.2, 1.0), (1.0, 1.0), (5.0, 5.0), (3600.0, 10.0)]
)
def test_what_the_server_asks_for_is_a_floor_with_a_ceiling(asked: float | None, pause: float) -> None:
    """Retry-After can lengthen a pause up to a bound, and never shortens it."""
    assert QUICK_RETRIES.pause_s(1, retry_after_s=asked, longest_s=10.0) == pause


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        ("Sun, 27 Sep 2026 16:00:30 GMT", 30.0),
        ("Sun, 27 Sep 2026 15:00:30 GMT", 0.0),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    """Both forms of Retry-After are understood, and anything else counts as not given."""
    assert retry_after_s(header, NOW) == seconds
