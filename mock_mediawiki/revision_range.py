"""From when to when a list of revisions goes, and in which direction: ``…dir``, ``…start`` and ``…end``."""

import re
from dataclasses import dataclass, replace
from typing import Final, Self

from mock_mediawiki.continuation import bad_continue
from mock_mediawiki.parameters import Parameters, whole_number
from mock_mediawiki.timestamps import digits, read_timestamp
from revertrisk.wiki.history import StoredRevision

_FIRST_ID: Final = 0
_LAST_ID: Final = 2**63 - 1
_MARK: Final = re.compile(r"(\d{14})\|(\d{1,19})")

Place = tuple[str, int]
"""A timestamp and a rev_id: revisions are listed by both."""


@dataclass(frozen=True, slots=True)
class RevisionRange:
    """The bounds of a list, both included; ``start`` is where it begins, so it may be the later one."""

    is_newer: bool
    start: Place
    end: Place

    @classmethod
    def read(cls, parameters: Parameters, prefix: str) -> Self:
        """Read a module's parameters.

        :raises ApiError: if one of them has a value that cannot be used.
        """
        is_newer = parameters.choice(f"{prefix}dir", ("newer", "older"), "older") == "newer"
        earliest, latest = ("", _FIRST_ID), ("~", _LAST_ID)  # the tilde sorts after any timestamp
        start, end = (earliest, latest) if is_newer else (latest, earliest)
        if (moment := parameters.timestamp(f"{prefix}start")) is not None:
            start = moment, start[1]
        if (moment := parameters.timestamp(f"{prefix}end")) is not None:
            end = moment, end[1]
        return cls(is_newer, start, end)

    @property
    def is_empty(self) -> bool:
        """True if the end lies before the start."""
        return self.start > self.end if self.is_newer else self.start < self.end

    def starting(self, start: Place) -> Self:
        """Return the same range with another start."""
        return replace(self, start=start)

    def starting_at_mark(self, mark: str) -> Self:
        """Return the range from the revision on that a ``continue`` value names.

        :raises ApiError: ``badcontinue`` if the value cannot have been ours.
        """
        found = _MARK.fullmatch(mark)
        if found is None:
            raise bad_continue()
        try:
            return self.starting((read_timestamp(found[1]), whole_number(found[2])))
        except ValueError:
            raise bad_continue() from None


def mark_of(revision: StoredRevision) -> str:
    """Return the ``continue`` value of a list that goes on with a revision."""
    return f"{digits(revision.timestamp)}|{revision.rev_id}"
