"""Counts a backfill's revisions, for the plan and for the report, from the same table.

Every revision that was found counts once: in *to send*, or in one reason why it is not sent. At the end every revision
to send counts in exactly one outcome.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from typing import Any, Final

from revertrisk.backfill.checkpoint import RevisionGroup
from revertrisk.backfill.lookup import CHUNK
from revertrisk.dispatcher.outcome import Ending

AGES: Final = ((1, "a day"), (7, "a week"), (31, "a month"), (366, "a year"))
"""Ages of revisions, in days, by which a plan counts them."""
OLDER: Final = "older"
UNKNOWN: Final = "unknown"
PAGE_MISSING: Final = "left_out:page_missing"


@dataclass(slots=True)
class Counts:
    """The numbers of revisions."""

    found: int = 0
    to_send: int = 0
    by_wiki: Counter[str] = field(default_factory=Counter)
    by_namespace: Counter[str] = field(default_factory=Counter)
    by_age: Counter[str] = field(default_factory=Counter)
    """These three count the revisions to send."""
    not_sent: Counter[str] = field(default_factory=Counter)
    """By the plan's reason: ``skipped:null_edit``, ``left_out:user_kind``, ``unmatched:wiki_id``."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Of the revisions that were sent: ``produced``, ``skipped:revision_hidden``, ``given_up:status_400``."""

    @classmethod
    def of(cls, groups: Iterable[RevisionGroup], unfound: int, planned_at: datetime) -> "Counts":
        """Count groups; ages are relative to ``planned_at``."""
        counts = cls()
        for group in groups:
            counts.found += group.count
            if group.reason is not None:
                counts.not_sent[group.reason] += group.count
                continue
            counts.to_send += group.count
            counts.by_wiki[group.wiki_id] += group.count
            counts.by_namespace[str(group.namespace_id)] += group.count
            counts.by_age[_age(group.day, planned_at)] += group.count
            if group.outcome is not None:
                counts.outcomes[group.outcome] += group.count
        if unfound:
            counts.not_sent[PAGE_MISSING] += unfound
        return counts

    @property
    def left(self) -> int:
        """The number of revisions that are still to be sent."""
        return self.to_send - self.outcomes.total()

    @property
    def scored(self) -> int:
        """The number of predictions."""
        return self.outcomes[Ending.PRODUCED]

    @property
    def failed(self) -> Counter[str]:
        """The given-up revisions, by reason."""
        return Counter(
            {
                outcome: count
                for outcome, count in self.outcomes.items()
                if outcome.startswith(Ending.GIVEN_UP)
            }
        )

    @property
    def skipped(self) -> Counter[str]:
        """The revisions that will not be scored, by the plan's reason or the server's."""
        by_server = {
            outcome: count
            for outcome, count in self.outcomes.items()
            if outcome != Ending.PRODUCED and not outcome.startswith(Ending.GIVEN_UP)
        }
        return self.not_sent + Counter(by_server)

    @property
    def requests_to_come(self) -> int:
        """The most MediaWiki requests for the rest: one for each revision, and one for each chunk."""
        return self.left + ceil(self.left / CHUNK)

    def plan_as_dict(self, per_second: float) -> dict[str, Any]:
        """Return the plan for JSON."""
        return {
            "found": self.found,
            "to_send": self.to_send,
            "by_wiki": dict(sorted(self.by_wiki.items())),
            "by_namespace": dict(sorted(self.by_namespace.items())),
            "by_age": dict(self.by_age),
            "not_sent": dict(sorted(self.not_sent.items())),
            "left": self.left,
            "mediawiki_requests": self.requests_to_come,
            "seconds_at_the_limit": round(self.requests_to_come / per_second, 1),
        }

    def report_as_dict(self) -> dict[str, Any]:
        """Return the final report for JSON."""
        return {
            "found": self.found,
            "scored": self.scored,
            "skipped": dict(sorted(self.skipped.items())),
            "failed": dict(sorted(self.failed.items())),
            "left": self.left,
        }


def _age(day: str | None, planned_at: datetime) -> str:
    if day is None:
        return UNKNOWN
    days = (planned_at - datetime.fromisoformat(day).replace(tzinfo=UTC)).days
    return next((f"up to {name}" for max_days, name in AGES if days <= max_days), OLDER)
