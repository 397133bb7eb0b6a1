"""One prediction as a value: what identifies it, and which of two is the state of their page."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

_NUMBER: Final = re.compile(r"([0-9]+)")

VersionOrder = tuple[tuple[tuple[int, str], ...], str]


class NaturalKey(NamedTuple):
    """What makes a prediction that prediction, in whatever stream, under whatever ``meta.id`` it comes."""

    wiki_id: str
    rev_id: int
    page_change_kind: str
    model_name: str
    model_version: str


class PageKey(NamedTuple):
    """What has one row: a page, as one model sees it. Scores of two models are not comparable."""

    model_name: str
    wiki_id: str
    page_id: int


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """What a model version said about one revision.

    There is no title, comment or user in here on purpose: a title changes without a prediction, and
    what may be hidden later is best not kept. The page, and ``request_id``, lead to all of them.
    """

    stream: str
    event_id: str
    """``meta.id``: the same whenever the same prediction is sent again to the same stream."""
    request_id: str | None
    """``meta.request_id``: that of the MediaWiki request which saved the edit."""
    wiki_id: str
    page_id: int
    rev_id: int
    page_change_kind: str
    model_name: str
    model_version: str
    probability: float
    """Of a revert (class ``true``), from 0 to 1."""
    changed_at: datetime
    """``dt``: when the page changed, in UTC; may lie years before ``received_at``."""
    received_at: datetime
    """``meta.dt``: when EventGate took the prediction, in UTC."""

    @property
    def natural_key(self) -> NaturalKey:
        """What two deliveries of one prediction have in common."""
        return NaturalKey(
            self.wiki_id, self.rev_id, self.page_change_kind, self.model_name, self.model_version
        )

    @property
    def page_key(self) -> PageKey:
        """Whose row this prediction may become."""
        return PageKey(self.model_name, self.wiki_id, self.page_id)

    @property
    def rank(self) -> tuple[Any, ...]:
        """What the row of a page is the greatest of: revision, then model version, then time of receipt.

        ``meta.id`` comes last, so that no two different predictions are equal.
        """
        return (self.rev_id, version_order(self.model_version), self.received_at, self.event_id)


def version_order(version: str) -> VersionOrder:
    """Return what model versions are sorted by: runs of digits as numbers, all else by code point.

    So ``revertrisk-events-9`` is before ``revertrisk-events-10``, and ``1.9`` before ``1.10``. A longer
    version is after its own beginning (``2`` before ``2-rc1``): versions are names, not semantic versions.
    """
    parts = _NUMBER.split(version)
    # Text and numbers alternate. A number is its digits, by length first: int() has a limit.
    return (tuple(_part(part, number=bool(place % 2)) for place, part in enumerate(parts)), version)


def _part(part: str, *, number: bool) -> tuple[int, str]:
    if not number:
        return (0, part)
    digits = part.lstrip("0")
    return (len(digits), digits)
