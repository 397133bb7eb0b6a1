"""The EventGate client: one event in, accepted or an error that says whether trying again can help.

Written for EventGate 1.8's contract: 201 accepts; 400 means that the event is invalid; 500 means anything
from a stream that is not configured (ours to mend) to a broker that is away (try again), which only the
entries of its body tell apart; with Kafka down it hangs, and a timeout may still have produced the event.
"""

import asyncio
import random
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from revertrisk.runtime.http_client import HttpClient
from revertrisk.runtime.http_connection import ConnectError, ConnectionBrokenError

DEFAULT_PATH = "/v1/events"
ACCEPTED = 201
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
RETRY_WAIT_S = (0.1, 0.2)
"""Seconds before another try, from and to."""
_SAFE_NAME = re.compile(r"[\w.$/\[\]'-]{0,200}")
"""What a schema keyword or a data path looks like; anything else in its place is not shown."""


class GateUnavailableError(Exception):
    """EventGate could not say that it took the event; the same event may be sent again.

    ``maybe_produced`` is True where the event may have reached Kafka all the same (a timeout).
    """

    def __init__(self, reason: str, *, maybe_produced: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.maybe_produced = maybe_produced


class GateRejectedError(Exception):
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


class EventGateClient:
    """Posts events to EventGate, each awaited until it is accepted."""

    def __init__(
        self,
        http: HttpClient,
        url: str,
        *,
        user_agent: str,
        timeout: float,
        attempts: int = 2,
    ) -> None:
        """``timeout`` is in seconds, for one try; ``attempts`` counts the first one."""
        headers = {"User-Agent": user_agent, "Content-Type": "application/json"}
        self._intake = http.endpoint("POST", intake_url(url), headers)
        self._timeout = timeout
        self._attempts = attempts

    async def produce(self, event: Mapping[str, Any], deadline: float) -> None:
        """Send one event and return once EventGate has accepted it, before the deadline (event loop time, seconds).

        Raises:
            GateUnavailableError: EventGate could not say that it took the event.
            GateRejectedError: EventGate refused the event, and will refuse it again.

        """
        body = orjson.dumps(event)
        for attempt in range(1, self._attempts + 1):
            try:
                await self._post(body, deadline, fresh=attempt > 1)
            except GateUnavailableError:
                wait = random.uniform(*RETRY_WAIT_S)  # noqa: S311 - it only spreads the tries
                if attempt == self._attempts or asyncio.get_running_loop().time() + wait >= deadline:
                    raise
                await asyncio.sleep(wait)
            else:
                return

    async def _post(self, body: bytes, deadline: float, *, fresh: bool) -> None:
        timeout = min(self._timeout, deadline - asyncio.get_running_loop().time())
        try:
            answer = await self._intake.send(body, timeout=timeout, fresh=fresh)
        except TimeoutError as exc:
            raise GateUnavailableError("timeout", maybe_produced=True) from exc
        except ConnectError as exc:
            raise GateUnavailableError("connection_failed") from exc
        except ConnectionBrokenError as exc:
            raise GateUnavailableError("connection_lost", maybe_produced=True) from exc
        if answer.status != ACCEPTED:
            raise _refusal(answer.status, _document(answer.body))


def _document(body: bytes) -> Mapping[str, Any]:
    """Read the body of a refusal; what answers may not be an EventGate."""
    try:
        document = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        document = {}
    return document if isinstance(document, dict) else {}


def _refusal(status: int, document: Mapping[str, Any]) -> GateUnavailableError | GateRejectedError:
    """Read an answer that is not 201: configuration and validation errors are final, the rest is not."""
    invalid, errors = (_entries(document.get(name)) for name in ("invalid", "error"))
    if invalid:
        return GateRejectedError("invalid_event", _faults(invalid[0]))
    messages = [_message(entry) for entry in errors]
    for fragment, reason in CONFIGURATION_FAULTS.items():
        if any(fragment in message for message in messages):
            return GateRejectedError(reason)
    title = document.get("title")
    if isinstance(title, str) and title in REQUEST_FAULTS:
        return GateRejectedError(title)
    if status in FINAL_STATUSES:
        return GateRejectedError(f"status_{status}")
    # Whatever else is not EventGate speaking of our event: a proxy without a route during a deployment, say.
    return GateUnavailableError(f"status_{status}")


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
