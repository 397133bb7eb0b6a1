"""What must be true at the end of a run, and what it was like."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from revertrisk.dispatcher.outcome import Outcome
from revertrisk.event_platform.prediction_change import PREDICTION_SCHEMA
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from tests.load.expectations import PRODUCED, Event, Expected

PAGE = 10_000
MOST_SHOWN = 5


async def read_accepted(session: aiohttp.ClientSession, gate: str) -> list[Event]:
    """Return everything that a mock EventGate has accepted, oldest first."""
    events: list[Event] = []
    after = 0
    while True:
        async with session.get(f"{gate}/_mock/events", params={"after": after, "limit": PAGE}) as answer:
            page = orjson.loads(await answer.read())
        assert page["dropped"] == 0, "the mock has forgotten events"
        if not page["events"]:
            return events
        events += [item["event"] for item in page["events"]]
        after = page["next_after"]


class Verdict:
    """Collects what is wrong; nothing may be."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def require(self, what: str, offenders: Iterable[object]) -> None:
        """Note a claim with those that break it."""
        found = list(offenders)
        if found:
            self.problems.append(f"{what}: {len(found)}, such as {found[:MOST_SHOWN]}")

    def judge_events(self, expected: Sequence[Expected], accepted: Sequence[Event]) -> int:
        """Compare what is on the stream with what must be there; return the number of duplicates."""
        validator = EventValidator(SchemaRepository().load(PREDICTION_SCHEMA))
        by_revision: defaultdict[tuple[str, int, str], list[Event]] = defaultdict(list)
        for event in accepted:
            by_revision[event["wiki_id"], event["revision"]["rev_id"], event["page_change_kind"]].append(
                event
            )
        due = {item.key for item in expected if item.outcome == PRODUCED}
        self.require("scorable revisions without a prediction", due - by_revision.keys())
        self.require("predictions that nothing asked for", by_revision.keys() - due)
        self.require(
            "revisions with more than one natural key",
            (
                key
                for key, events in by_revision.items()
                if len({_natural_key(event) for event in events}) > 1
            ),
        )
        self.require(
            "duplicates that differ",
            (key for key, events in by_revision.items() if len({as_sent(event) for event in events}) > 1),
        )
        self.require(
            "events that break their schema",
            (_natural_key(event) for event in accepted if not validator.is_valid(event)),
        )
        return len(accepted) - len(by_revision)

    def judge_hidden(self, accepted: Sequence[Event], rev_ids: Collection[int]) -> None:
        """No event may carry what the API hides."""
        self.require(
            "events with a hidden user or comment",
            (
                _natural_key(event)
                for event in accepted
                if event["revision"]["rev_id"] in rev_ids
                and (
                    {"performer", "comment"} & event.keys()
                    or {"editor", "comment"} & event["revision"].keys()
                )
            ),
        )

    def judge_outcomes(self, expected: Sequence[Expected], runs: Sequence[Sequence[Outcome]]) -> None:
        """Each event must have its outcome in every run."""
        for number, outcomes in enumerate(runs, start=1):
            told = {
                outcome.event["meta"]["id"]: outcome.label
                for outcome in outcomes
                if outcome.event is not None
            }
            self.require(
                f"events of run {number} with another outcome",
                (
                    (item.key, item.outcome, told.get(item.event["meta"]["id"]))
                    for item in expected
                    if told.get(item.event["meta"]["id"]) != item.outcome
                ),
            )

    def judge_logs(self, logs: Iterable[Path]) -> Counter[int]:
        """Count the answers in the servers' logs by status; there must be no 500."""
        statuses: Counter[int] = Counter()
        for log in logs:
            for line in log.read_bytes().splitlines():
                if b'"status_code":' in line:
                    try:
                        record = orjson.loads(line)
                    except orjson.JSONDecodeError:
                        continue  # the last line of a server that was killed while it wrote
                    statuses[record["http"]["response"]["status_code"]] += 1
                    if record["http"]["response"]["status_code"] == 500:
                        self.problems.append(f"a 500: {record.get('error')}, {record['labels']}")
        return statuses


def _natural_key(event: Event) -> tuple[Any, ...]:
    predicted = event["predicted_classification"]
    return (
        event["wiki_id"],
        event["revision"]["rev_id"],
        event["page_change_kind"],
        predicted["model_name"],
        predicted["model_version"],
    )


def as_sent(event: Event) -> bytes:
    """The bytes of an event as it was sent: without the time of receipt, which the gate adds."""
    meta = {name: value for name, value in event["meta"].items() if name != "dt"}
    return orjson.dumps(event | {"meta": meta})
