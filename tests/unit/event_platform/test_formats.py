from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revertrisk.event_platform.formats import EVENTGATE_FORMAT_FUNCTIONS, EVENTGATE_FORMATS, is_date_time
from revertrisk.runtime.instants import USUAL_INSTANT, is_instant, parse_date_time

# The verdicts of AJV 6.12, mode "fast".
DATE_TIMES = [
    "2021-01-01T00:00:00Z",
    "2021-01-01T00:00:00.0Z",
    "2021-01-01T00:00:00.123456789Z",
    "2021-01-01t00:00:00z",
    "2021-01-01 00:00:00Z",
    "2021-01-01\u00a000:00:00Z",
    "2021-01-01T00:00:00+00:00",
    "2021-01-01T00:00:00-0530",
    "2021-01-01T00:00:00+05",
    "2016-12-31T23:59:60Z",
    "2021-02-31T00:00:00Z",
    "2021-19-39T29:59:59Z",
    "2021-01-01T00:00:00+99:99",
]
NOT_DATE_TIMES = [
    "",
    "2021-01-01",
    "2021-01-01T00:00:00",
    "2021-01-01T00:00:00.0",
    "2021-01-01T00:00Z",
    "2021-01-01T00:00:00.Z",
    "2021-01-01T00:00:00,5Z",
    "2021-01-01T00:00:60Z",
    "2021-01-01T22:59:60Z",
    "2021-20-01T00:00:00Z",
    "21-01-01T00:00:00Z",
    " 2021-01-01T00:00:00Z",
    "2021-01-01T00:00:00Z\n",
    "2021-01-01_00:00:00Z",
    "2021-01-01\u008500:00:00Z",
    "\u0662\u0660\u0662\u0661-01-01T00:00:00Z",
    "2021-01-01T00:00:00 Z",
    "20210101T000000Z",
]
URI_REFERENCES = [
    "",
    "#",
    "https://en.wikipedia.org/wiki/Anees_(musician)?a=[b]#c#d",
    "https://it.wikipedia.org/wiki/Perché",
    "//host/path",
    "/wiki/A",
    "A",
    "%zz",
    "mailto:somebody",
    "/\\",
    "a\\b",
    "a\u0085b",
    "http://[::1",
]
NOT_URI_REFERENCES = [
    " ",
    "https://en.wikipedia.org/wiki/A b",
    "https://en.wikipedia.org/wiki/A#b c",
    "https://en.wikipedia.org/wiki/A\n",
    "https://en.wikipedia.org/wiki/A\u3000b",
    "https://en.wikipedia.org/wiki/A\ufeff",
    "\\wiki",
    "wiki#a\\b",
]


VERDICTS = [
    *(("date-time", text, True) for text in DATE_TIMES),
    *(("date-time", text, False) for text in NOT_DATE_TIMES),
    *(("uri-reference", text, True) for text in URI_REFERENCES),
    *(("uri-reference", text, False) for text in NOT_URI_REFERENCES),
]


@pytest.mark.parametrize(("name", "text", "accepted"), VERDICTS)
def test_the_verdicts_are_those_of_eventgate(name: str, text: str, *, accepted: bool) -> None:
    """What AJV's fast mode takes is taken and what it refuses refused; no refused date-time can be parsed."""
    assert EVENTGATE_FORMAT_FUNCTIONS[name](text) is accepted
    assert EVENTGATE_FORMATS.conforms(text, name) is accepted
    assert accepted or not is_instant(text)


def test_no_other_format_is_checked() -> None:
    """A format that EventGate's configuration does not check passes, and so does what is not a string."""
    assert EVENTGATE_FORMATS.conforms("not an address", "email")
    assert EVENTGATE_FORMATS.conforms(5, "date-time")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-09-27T16:17:12Z", datetime(2026, 9, 27, 16, 17, 12, tzinfo=UTC)),
        ("2026-09-27t16:17:12z", datetime(2026, 9, 27, 16, 17, 12, tzinfo=UTC)),
        ("2026-09-27\u300016:17:12z", datetime(2026, 9, 27, 16, 17, 12, tzinfo=UTC)),
        ("2026-09-27T16:17:12.5+02:00", datetime(2026, 9, 27, 14, 17, 12, 500000, tzinfo=UTC)),
        ("2026-09-27T16:17:12-0530", datetime(2026, 9, 27, 21, 47, 12, tzinfo=UTC)),
        ("2026-09-27T16:17:12+02", datetime(2026, 9, 27, 14, 17, 12, tzinfo=UTC)),
        ("2026-09-27T16:17:12.1234567899Z", datetime(2026, 9, 27, 16, 17, 12, 123456, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2016-12-31T23:59:60.25Z", datetime(2016, 12, 31, 23, 59, 59, 250000, tzinfo=UTC)),
    ],
)
def test_parses_every_notation(text: str, moment: datetime) -> None:
    """Every notation that EventGate accepts is understood, and the result is in UTC."""
    assert parse_date_time(text) == moment
    assert parse_date_time(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["2021-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "2021-01-01T24:00:00Z", "0001-01-01T00:00:00+01:00"],
)
def test_a_moment_that_does_not_exist_is_a_value_error(text: str) -> None:
    """A date-time of no calendar passes EventGate, is no instant, and its error does not repeat it."""
    assert is_date_time(text)
    assert not is_instant(text)
    with pytest.raises(ValueError, match="does not exist") as caught:
        parse_date_time(text)
    assert text not in str(caught.value)
    assert caught.value.__suppress_context__


@given(
    st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)),  # noqa: DTZ001 # zone below
    st.integers(min_value=-23 * 60 - 59, max_value=23 * 60 + 59),
)
def test_parsing_undoes_writing(naive: datetime, offset: int) -> None:
    """A moment written by Python with any offset is accepted, and read back as the same moment."""
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert parse_date_time(moment.isoformat()) == moment


@given(
    st.from_regex(
        r"\A[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|z)\Z"
    )
)
def test_the_calendar_alone_separates_instants_from_date_times(text: str) -> None:
    """A date-time in UTC is an instant exactly if its year, day and hour exist."""
    assert is_date_time(text)
    try:
        datetime.strptime(text[:10] + text[11:19], "%Y-%m-%d%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        assert not is_instant(text)
    else:
        assert is_instant(text)


@given(st.from_regex(USUAL_INSTANT, fullmatch=True))
def test_a_usual_instant_is_one(text: str) -> None:
    """What the pattern takes exists, whatever the month has of days."""
    assert is_instant(text)
