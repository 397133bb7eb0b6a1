"""What is told of a surge or a silence: one incident, one start, one end."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from revertrisk.runtime.instants import iso_z

NAMESPACE: Final = uuid.UUID("0e1a54a1-6a0f-4c39-9d24-0b6f3f0e6f6d")
"""Of every incident's id: the same surge has the same id, however often it is found again after a crash."""
ALL_WIKIS: Final = "all wikis"
SMALL_WIKIS: Final = "small wikis"
TOP_PAGES: Final = 5


class Series(StrEnum):
    """What an incident is about."""

    EDITS = "edits"
    HIGH_RISK = "high_risk"
    SHARE = "share"
    SILENCE = "silence"
    PREDICTIONS = "predictions"
    """No predictions while edits are made."""
    STREAM = "stream"
    """Nothing at all comes."""
    VERSION = "version"
    """The watched model has another version; only said."""


SURGES: Final = (Series.EDITS, Series.HIGH_RISK, Series.SHARE)


class MessageKind(StrEnum):
    """What a message tells."""

    START = "start"
    END = "end"
    NOTICE = "notice"


@dataclass(slots=True)
class Incident:
    """A surge or a silence. Times are minutes of Unix time."""

    id: str
    scope: str
    """A wiki_id, ``small wikis`` or ``all wikis``."""
    series: str
    since: int
    """The most likely beginning."""
    found: int
    """When its first message could be sent, by the stream's time."""
    is_provisional: bool = False
    known_by: int | None = None
    """When there will be a history of four weeks."""
    observed: float = 0.0
    expected: float = 0.0
    """The usual number since the beginning."""
    peak_ratio: float = 0.0
    cause: str = ""
    observed_before: float = 0.0
    """What the detector's span had before ``since``; and what was usual in it."""
    expected_before: float = 0.0
    announced: bool = False
    ended: int | None = None
    pages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """How many times the usual."""
        return self.observed / self.expected if self.expected > 0 else 0.0

    def take_size(self, state: Mapping[str, float]) -> None:
        """Take the counts and the means since the beginning, and the peak, from the state of the detector."""
        self.observed = state["span_counts"] - self.observed_before
        self.expected = max(0.0, state["span_means"] - self.expected_before)
        self.peak_ratio = max(self.peak_ratio, state["peak"])

    def as_state(self) -> dict[str, Any]:
        """Return what is kept across a restart, and for good: of the busiest pages the ids, and no titles."""
        state = asdict(self)
        state["pages"] = [
            {name: page[name] for name in ("wiki_id", "page_id", "count")} for page in self.pages
        ]
        return state


def incident_id(scope: str, series: str, found: int) -> str:
    """Return the id of the incident that was found in a minute."""
    return str(uuid.uuid5(NAMESPACE, f"{scope}|{series}|{found}"))


def new_incident(name: tuple[str, str], since: int, found: int, cause: str = "") -> Incident:
    """Return the incident of a scope and series that was found in a minute."""
    return Incident(incident_id(*name, found), *name, since=since, found=found, cause=cause)


def instant(minute: int) -> str:
    """Return the beginning of a minute as events write it."""
    return iso_z(datetime.fromtimestamp(minute * 60, UTC))


def message(incident: Incident, kind: MessageKind, pages: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Return a message as the JSON webhook sends it; docs/alerts.md has the fields."""
    document: dict[str, Any] = {
        "kind": kind.value,
        "incident_id": incident.id,
        "wiki_id": incident.scope,
        "series": incident.series,
        "since": instant(incident.since),
        "found": instant(incident.found),
        "provisional": incident.is_provisional,
    }
    if incident.is_provisional and incident.known_by is not None:
        document["known_by"] = instant(incident.known_by)
    if incident.cause:
        document["cause"] = incident.cause
    if incident.series in SURGES:
        document |= {
            "ratio": round(incident.ratio, 2),
            "observed": round(incident.observed),
            "expected": round(incident.expected, 1),
            "pages": list(pages),
        }
    if kind is MessageKind.END and incident.ended is not None:
        document |= {"ended": instant(incident.ended), "minutes": incident.ended - incident.since}
        if incident.series in SURGES:
            document |= {
                "peak_ratio": round(max(incident.peak_ratio, incident.ratio), 2),
                "excess": round(incident.observed - incident.expected),
            }
    return document
