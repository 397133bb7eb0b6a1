"""Incidents and their messages: each surge or silence is one incident, with one start and one end."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from revertrisk.runtime.instants import iso_z

NAMESPACE: Final = uuid.UUID("0e1a54a1-6a0f-4c39-9d24-0b6f3f0e6f6d")
"""The namespace of incident ids: a surge that is found again after a crash has the same id."""
ALL_WIKIS: Final = "all wikis"
SMALL_WIKIS: Final = "small wikis"
TOP_PAGES: Final = 5


class Series(StrEnum):
    """The subject of an incident."""

    EDITS = "edits"
    HIGH_RISK = "high_risk"
    SHARE = "share"
    SILENCE = "silence"
    PREDICTIONS = "predictions"
    """Edits arrive, and predictions do not."""
    STREAM = "stream"
    """No events arrive."""
    VERSION = "version"
    """The model, its version or a threshold changed; such an incident has one message, and is no alarm."""


SURGES: Final = (Series.EDITS, Series.HIGH_RISK, Series.SHARE)


class MessageKind(StrEnum):
    """The kinds of messages."""

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
    """The most likely first minute."""
    found: int
    """When it was found, by the time of the stream."""
    is_provisional: bool = False
    known_by: int | None = None
    """When its series will have a history of four weeks."""
    observed: float = 0.0
    """The count since the beginning."""
    expected: float = 0.0
    """The usual count since the beginning."""
    peak_ratio: float = 0.0
    """The greatest ratio of the count to the usual count, averaged over about ten minutes."""
    cause: str = ""
    observed_before: float = 0.0
    """The count in the span of the detector before ``since``."""
    expected_before: float = 0.0
    """The usual count in that part."""
    announced: bool = False
    ended: int | None = None
    pages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The ratio of the count to the usual count."""
        return self.observed / self.expected if self.expected > 0 else 0.0

    def take_size(self, state: Mapping[str, float]) -> None:
        """Take the counts and the means since the beginning, and the peak, from the state of the detector."""
        self.observed = state["span_counts"] - self.observed_before
        self.expected = max(0.0, state["span_means"] - self.expected_before)
        self.peak_ratio = max(self.peak_ratio, state["peak"])

    def as_state(self) -> dict[str, Any]:
        """Return the incident as it is stored, with the ids of the busiest pages and without their titles."""
        state = asdict(self)
        state["pages"] = [
            {name: page[name] for name in ("wiki_id", "page_id", "count")} for page in self.pages
        ]
        return state


def incident_id(scope: str, series: str, found: int) -> str:
    """Return the id of an incident from the minute in which it was found."""
    return str(uuid.uuid5(NAMESPACE, f"{scope}|{series}|{found}"))


def new_incident(name: tuple[str, str], since: int, found: int, cause: str = "") -> Incident:
    """Return the incident of a scope and series that was found in a minute."""
    return Incident(incident_id(*name, found), *name, since=since, found=found, cause=cause)


def instant(minute: int) -> str:
    """Return the beginning of a minute in the form of event times."""
    return iso_z(datetime.fromtimestamp(minute * 60, UTC))


def message(incident: Incident, kind: MessageKind, pages: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Return a message as the JSON webhook receives it; docs/alerts.md lists the fields."""
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
