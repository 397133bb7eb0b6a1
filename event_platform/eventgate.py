"""The EventGate client: one event in, accepted or an error that says whether trying again can help.

Written for EventGate 1.8's contract: 201 accepts; 400 means that the event is invalid; 500 means anything
from a stream that is not configured (ours to mend) to a broker that is away (try again), which only the
entries of its body tell apart; with Kafka down it hangs, and a timeout may still have produced the event.
"""

import asyncio
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from event_platform.http_client import (
    ConnectError,
    ConnectionBrokenError,
    HttpClient,
    Origin,
    Response,
    request_head,
)
from event_platform.joining import Joiner

DEFAULT_PATH = "/v1/events"
ACCEPTED = 201
PARTLY_ACCEPTED = 207
FINAL_STATUSES = frozenset({202, 400, 413})
"""Answers that no retry changes, whatever their body: hasty, invalid, too large."""
CONFIGURATION_FAULTS = {
    "is not configured": "stream_not_configured",
    "is not allowed in stream": "schema_not_allowed_in_stream",
    "Failed loading schema": "schema_not_found",
    "Absolute schema URIs": "schema_uri_not_allowed",
    "could not be extracted": "field_missing",
    "Message size too large": "event_too_large",
}
"""What EventGate's 500 entries say when the event or the configuration is wrong: no retry mends it (T405067)."""
REQUEST_FAULTS = frozenset({"SyntaxError", "PayloadTooLargeError", "UnsupportedMediaTypeError"})
RETRY_WAIT = (0.1, 0.2)
"""Seconds before another try, from and to."""
MOST_ARRAY_BYTES = 64 * 1024
"""Of the events in one POST: EventGate's default limit for a body is 100 kB."""
MOST_ARRAYS = 3
"""POSTs of arrays under way; what comes meanwhile goes together."""
_SAFE_NAME = re.compile(r"[\w.$/\[\]'-]{0,200}")
"""What a schema keyword or a data path looks like; anything else in its place is not shown."""


class EventGateUnavailableError(Exception):
    """EventGate could not say that it took the event; the same event may be sent again.

    ``maybe_produced`` is True where the event may have reached Kafka all the same (a timeout).
    """

    def __init__(self, reason: str, *, maybe_produced: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.maybe_produced = maybe_produced


class EventRejectedError(Exception):
    """EventGate refused the event, and will refuse it again: the producer's bug or configuration.

    ``faults`` names schema keywords and data paths, never values.
    """

    def __init__(self, reason: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.faults = faults


def intake_url(url: str) -> str:
    """Return where events are POSTed: a base URL without a path means ``/v1/events``."""
    return url.rstrip("/") + DEFAULT_PATH if urlsplit(url).path in ("", "/") else url


@dataclass(frozen=True, slots=True, eq=False)
class _Outgoing:
    """An event on its way in an array."""

    event_id: str
    body: bytes


Refusal = EventGateUnavailableError | EventRejectedError
Arrays = Joiner[None, _Outgoing, Refusal | None]


class EventGateClient:
    """Posts events to EventGate, each awaited until it is accepted."""

    def __init__(  # noqa: PLR0913 - plain values from the settings, each named at the call
        self,
        http: HttpClient,
        url: str,
        *,
        user_agent: str,
        timeout: float,
        attempts: int = 2,
        array_max: int = 1,
    ) -> None:
        """``timeout`` is in seconds, for one try; ``attempts`` counts the first one.

        With ``array_max`` above 1, events that wait while POSTs are under way go together, so many at most.
        """
        intake = intake_url(url)
        self._http = http
        self._origin = Origin.of(intake)
        parts = urlsplit(intake)
        self._head = request_head(
            "POST",
            parts.path + (f"?{parts.query}" if parts.query else ""),
            {"Host": self._origin.authority, "User-Agent": user_agent, "Content-Type": "application/json"},
        ).removesuffix(b"\r\n")
        self._timeout = timeout
        self._attempts = attempts
        self._arrays: Arrays | None = (
            Joiner(
                self._post_array, most_items=array_max, most_weight=MOST_ARRAY_BYTES, most_calls=MOST_ARRAYS
            )
            if array_max > 1
            else None
        )

    async def produce(self, event: Mapping[str, Any], deadline: float) -> None:
        """Send one event and return once EventGate has accepted it, before the deadline (event loop time, seconds).

        Raises :class:`EventGateUnavailableError` and :class:`EventRejectedError`.
        """
        body = orjson.dumps(event)
        for attempt in range(1, self._attempts + 1):
            try:
                if attempt == 1 and self._arrays is not None:
                    await self._post_with_others(self._arrays, event["meta"]["id"], body, deadline)
                else:
                    await self._post(body, deadline, fresh=attempt > 1)
            except EventGateUnavailableError:
                wait = random.uniform(*RETRY_WAIT)  # noqa: S311 - it only spreads the tries
                if attempt == self._attempts or asyncio.get_running_loop().time() + wait >= deadline:
                    raise
                await asyncio.sleep(wait)
            else:
                return

    async def _post(self, body: bytes, deadline: float, *, fresh: bool = False) -> None:
        answer = await self._send(body, deadline, fresh=fresh)
        if answer.status != ACCEPTED:
            raise _refusal(answer.status, _document(answer.body))

    async def _send(self, body: bytes, deadline: float, *, fresh: bool = False) -> Response:
        message = b"%bContent-Length: %d\r\n\r\n%b" % (self._head, len(body), body)
        timeout = min(self._timeout, deadline - asyncio.get_running_loop().time())
        try:
            return await self._http.send(self._origin, message, timeout, fresh=fresh)
        except TimeoutError as exc:
            raise EventGateUnavailableError("timeout", maybe_produced=True) from exc
        except ConnectError as exc:
            raise EventGateUnavailableError("connection_failed") from exc
        except ConnectionBrokenError as exc:
            raise EventGateUnavailableError("connection_lost", maybe_produced=True) from exc

    async def _post_with_others(self, arrays: Arrays, event_id: str, body: bytes, deadline: float) -> None:
        outgoing = _Outgoing(event_id, body)
        try:
            refusals = await arrays.get(None, (outgoing,), deadline=deadline, weight=len(body))
        except TimeoutError as exc:
            raise EventGateUnavailableError("timeout", maybe_produced=True) from exc
        if outgoing not in refusals:
            raise EventGateUnavailableError("array_failed", maybe_produced=True)
        refusal = refusals[outgoing]
        if refusal is not None:
            raise refusal

    async def _post_array(
        self, _: None, events: list[_Outgoing], again: bool
    ) -> Mapping[_Outgoing, Refusal | None]:
        """POST several events at once; nothing is said of those that have to be sent again, each alone."""
        deadline = asyncio.get_running_loop().time() + self._timeout
        try:
            if len(events) == 1:
                await self._post(events[0].body, deadline)
                return {events[0]: None}
            answer = await self._send(b"[%b]" % b",".join(event.body for event in events), deadline)
        except (EventGateUnavailableError, EventRejectedError) as refusal:
            return {events[0]: refusal} if len(events) == 1 else {}
        if answer.status == ACCEPTED:
            return dict.fromkeys(events)
        if answer.status != PARTLY_ACCEPTED:
            return {}
        refused = _refused_ids(_document(answer.body))
        # What is not listed was accepted: but only if every entry says which of these events it is about.
        if refused is None or not refused.keys() <= {event.event_id for event in events}:
            return {}
        return {event: refused.get(event.event_id) for event in events}


def _refused_ids(document: Mapping[str, Any]) -> dict[str, Refusal] | None:
    """Say of each event that a 207 lists why it was not accepted, by the id that its entry echoes.

    None if it lists none, or if an entry does not show its event.
    """
    refused: dict[str, Refusal] = {}
    for name in ("invalid", "error"):
        entries = document.get(name, [])
        if not isinstance(entries, list):
            return None
        for entry in entries:
            event = entry.get("event") if isinstance(entry, dict) else None
            meta = event.get("meta") if isinstance(event, dict) else None
            event_id = meta.get("id") if isinstance(meta, dict) else None
            if not isinstance(event_id, str):
                return None
            refused[event_id] = _refusal(PARTLY_ACCEPTED, {name: [entry]})
    return refused or None


def _document(body: bytes) -> Mapping[str, Any]:
    """Read the body of a refusal; what answers may not be an EventGate."""
    try:
        document = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        document = {}
    return document if isinstance(document, dict) else {}


def _refusal(status: int, document: Mapping[str, Any]) -> Refusal:
    """Read an answer that is not 201: configuration and validation errors are final, the rest is not."""
    invalid, errors = (_entries(document.get(name)) for name in ("invalid", "error"))
    if invalid:
        return EventRejectedError("invalid_event", _faults(invalid[0]))
    messages = [_message(entry) for entry in errors]
    for fragment, reason in CONFIGURATION_FAULTS.items():
        if any(fragment in message for message in messages):
            return EventRejectedError(reason)
    title = document.get("title")
    if isinstance(title, str) and title in REQUEST_FAULTS:
        return EventRejectedError(title)
    if status in FINAL_STATUSES:
        return EventRejectedError(f"status_{status}")
    # Whatever else is not EventGate speaking of our event: a proxy without a route during a deployment, say.
    return EventGateUnavailableError(f"status_{status}")


def _entries(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; what answers may not be an EventGate."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _context(entry: dict[str, Any]) -> dict[str, Any]:
    context = entry.get("context")
    return context if isinstance(context, dict) else {}


def _message(entry: dict[str, Any]) -> str:
    return str(_context(entry).get("message", ""))


def _faults(entry: dict[str, Any]) -> tuple[str, ...]:
    """Name keyword and data path of each violation in an ``invalid`` entry."""
    return tuple(
        f"{_safe(error.get('keyword'))} at {_safe(error.get('dataPath')) or '/'}"
        for error in _entries(_context(entry).get("errors"))
    )


def _safe(name: Any) -> str:
    return name if isinstance(name, str) and _SAFE_NAME.fullmatch(name) else "?"
