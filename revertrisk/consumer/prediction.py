"""One prediction as a value: its keys, and the rank that decides which prediction is the state of a page."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

_NUMBER: Final = re.compile(r"([0-9]+)")

VersionOrder = tuple[tuple[tuple[int, str], ...], str]


class NaturalKey(NamedTuple):
    """The identity of a prediction, independent of its stream and its ``meta.id``."""

    wiki_id: str
    rev_id: int
    page_change_kind: str
    model_name: str
    model_version: str


class PageKey(NamedTuple):
    """The key of a row: a page and a model. Scores of two models are not comparable."""

    model_name: str
    wiki_id: str
    page_id: int


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """The score of one revision by one model version.

    It has no title, comment or user on purpose: a title changes without a prediction, and the others can be hidden
    later. The ids of the page and the revision lead to all of them.
    """

    stream: str
    event_id: str
    """``meta.id``: the same if the same prediction is sent again to the same stream."""
    request_id: str | None
    """``meta.request_id``: the id of the MediaWiki request that saved the edit."""
    wiki_id: str
    page_id: int
    rev_id: int
    page_change_kind: str
    model_name: str
    model_version: str
    probability: float
    """The probability of a revert (class ``true``), from 0 to 1."""
    changed_at: datetime
    """``dt``: when the page changed, in UTC; it can be years before ``received_at``."""
    received_at: datetime
    """``meta.dt``: when EventGate received the prediction, in UTC."""

    @property
    def natural_key(self) -> NaturalKey:
        """The key that two deliveries of the same prediction share."""
        return NaturalKey(
            self.wiki_id, self.rev_id, self.page_change_kind, self.model_name, self.model_version
        )

    @property
    def page_key(self) -> PageKey:
        """The key of the row that this prediction can become."""
        return PageKey(self.model_name, self.wiki_id, self.page_id)

    @property
    def rank(self) -> tuple[Any, ...]:
        """The order of predictions for a page's row: by revision, then model version, then time of receipt.

        ``meta.id`` comes last, so that two different predictions are never equal.
        """
        return (self.rev_id, version_order(self.model_version), self.received_at, self.event_id)


def version_order(version: str) -> VersionOrder:
    """Return the sort key of a model version: digits compare as numbers, other text by code point.

    So ``revertrisk-events-9`` is before ``revertrisk-events-10``, and ``1.9`` before ``1.10``. A version is before a
    longer one that starts with it (``2`` before ``2-rc1``): versions are names, not semantic versions.
    """
    parts = _NUMBER.split(version)
    # Text and numbers alternate. Numbers compare by length, then by digits, because int() has a limit of digits.
    return (tuple(_part(part, number=bool(index % 2)) for index, part in enumerate(parts)), version)


def _part(part: str, *, number: bool) -> tuple[int, str]:
    if not number:
        return (0, part)
    digits = part.lstrip("0")
    return (len(digits), digits)
