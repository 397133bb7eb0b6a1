"""Timestamps in parameters, in the forms that MediaWiki accepts.

https://www.mediawiki.org/wiki/API:Data_formats#Timestamps lists them. Supported are ISO 8601 in UTC, MediaWiki's own
14 digits, and seconds since 1970. Answers always have ISO 8601.
"""

import re
from datetime import UTC, datetime
from typing import Final

_ISO: Final = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)[T ]?(\d\d):?(\d\d):?(\d\d)(?:\.\d+)?(?:Z|\+00(?::?00)?)?", re.ASCII
)
_SECONDS: Final = re.compile(r"-?[0-9]{1,13}")


def read_timestamp(text: str) -> str:
    """Return a timestamp in the form of histories, such as ``2026-08-01T10:00:00Z``.

    Raises:
        ValueError: the text has none of the forms, or is not a real date.

    """
    if text == "now":
        return _written(datetime.now(UTC))
    if found := _ISO.fullmatch(text.strip()):
        year, month, day, hour, minute, second = map(int, found.groups())
        return _written(datetime(year, month, day, hour, minute, second, tzinfo=UTC))
    if _SECONDS.fullmatch(text):
        try:
            return _written(datetime.fromtimestamp(int(text), UTC))
        except OverflowError:
            raise ValueError("out of range") from None
    raise ValueError("not a timestamp")


def digits(timestamp: str) -> str:
    """Return a timestamp in MediaWiki's own form, which ``continue`` values contain: ``20260801100000``."""
    return "".join(filter(str.isdigit, timestamp))


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
