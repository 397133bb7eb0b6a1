"""The range and direction of a list of revisions: ``…dir``, ``…start``, ``…end``, ``…continue``."""

import re
from dataclasses import replace
from typing import Final

from mock_mediawiki.continuation import bad_continue
from mock_mediawiki.parameters import Parameters, whole_number
from mock_mediawiki.timestamps import digits, read_timestamp
from revertrisk.wiki.history import RevisionRange, StoredRevision

_FIRST_ID: Final = 0
_LAST_ID: Final = 2**63 - 1
_MARK: Final = re.compile(r"(\d{14})\|(\d{1,19})")


def read_range(parameters: Parameters, prefix: str) -> RevisionRange:
    """Return the range that a module's parameters give; ``prefix`` is the module's.

    Raises:
        ApiError: one of them has an invalid value.

    """
    is_newer = parameters.choice(f"{prefix}dir", ("newer", "older"), "older") == "newer"
    earliest, latest = ("", _FIRST_ID), ("~", _LAST_ID)  # the tilde sorts after any timestamp
    start, end = (earliest, latest) if is_newer else (latest, earliest)
    if (moment := parameters.timestamp(f"{prefix}start")) is not None:
        start = moment, start[1]
    if (moment := parameters.timestamp(f"{prefix}end")) is not None:
        end = moment, end[1]
    return RevisionRange(is_newer, start, end)


def from_mark(bounds: RevisionRange, mark: str) -> RevisionRange:
    """Return the part of a range that starts at the revision of a ``continue`` value.

    Raises:
        ApiError: ``badcontinue`` if no answer contains the value.

    """
    found = _MARK.fullmatch(mark)
    if found is None:
        raise bad_continue()
    try:
        return replace(bounds, start=(read_timestamp(found[1]), whole_number(found[2])))
    except ValueError:
        raise bad_continue() from None


def mark_of(revision: StoredRevision) -> str:
    """Return the ``continue`` value with which a list continues at a revision."""
    return f"{digits(revision.timestamp)}|{revision.rev_id}"
