"""What the upstreams have recorded is compared with what was asked: every event once, and valid."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from revertrisk.event_platform.schemas import EventValidator
from tests.bench.traffic import rev_id


class UndeliveredError(Exception):
    """An event was lost, sent twice, or is not valid: the figures mean nothing."""


def check_delivered(numbers: Sequence[int], bodies: Sequence[bytes], validator: EventValidator) -> int:
    """See that every request's event was delivered, once and valid; return how many there are.

    ``numbers`` are those of the requests, ``bodies`` what was POSTed. Raises :class:`UndeliveredError`.
    """
    events = [event for body in bodies for event in _events(body)]
    came, due = Counter(event["revision"]["rev_id"] for event in events), Counter(map(rev_id, numbers))
    if came != due:
        raise UndeliveredError(
            f"{len(numbers)} requests, {len(events)} events: {(due - came).total()} are missing, "
            f"{(came - due).total()} are too many"
        )
    for event in events:
        # EventGate fills in meta.dt before it validates.
        event["meta"].setdefault("dt", event["dt"])
        if not validator.is_valid(event):
            raise UndeliveredError(f"an event is not valid: {validator.violations(event)}")
    return len(events)


def _events(body: bytes) -> Iterator[dict[str, Any]]:
    document = orjson.loads(body)
    yield from document if isinstance(document, list) else [document]
