"""The EventGate client: sends one event, and raises an error that shows whether a retry can help.

It is written for EventGate 1.8. 201 means that the event is accepted, and 400 that it is invalid. 500 means a wrong
configuration, such as an unknown stream, or an unavailable broker, for which a retry can help; only the entries of the
body distinguish them. While Kafka is down EventGate does not answer, and after a timeout the event may be produced.
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
"""Statuses after which a retry cannot help, independent of the body: hasty, invalid, too large."""
CONFIGURATION_FAULTS = {
    "is not configured": "stream_not_configured",
    "is not allowed in stream": "schema_not_allowed_in_stream",
    "Failed loading schema": "schema_not_found",
    "Absolute schema URIs": "schema_uri_not_allowed",
    "could not be extracted": "field_missing",
    "Message size too large": "event_too_large",
}
"""Texts in the entries of EventGate's 500 if the event or the configuration is wrong; a retry cannot help (T405067)."""
REQUEST_FAULTS = frozenset({"SyntaxError", "PayloadTooLargeError", "UnsupportedMediaTypeError"})
RETRY_WAIT_S = (0.1, 0.2)
"""The shortest and longest pause before another try, in seconds."""
_SAFE_NAME = re.compile(r"[\w.$/\[\]'-]{0,200}")
"""The form of a schema keyword or a data path; any other text is not shown."""


class GateUnavailableError(Exception):
    """EventGate did not confirm the event; the same event can be sent again.

    ``maybe_produced`` is True if the event may nevertheless be in Kafka, for example after a timeout.
    """

    def __init__(self, reason: str, *, maybe_produced: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.maybe_produced = maybe_produced


class GateRejectedError(Exception):
    """EventGate refused the event, and a retry cannot help: the cause is a bug or the configuration of the producer.

    ``faults`` has schema keywords and data paths, never values.
    """

    def __init__(self, reason: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.faults = faults


def intake_url(url: str) -> str:
    """Return the URL for events; a base URL without a path gets ``/v1/events``."""
    return url.rstrip("/") + DEFAULT_PATH if urlsplit(url).path in ("", "/") else url


class EventGateClient:
    """Posts events to EventGate, and waits until each is accepted."""

    def __init__(
        self,
        http: HttpClient,
        url: str,
        *,
        user_agent: str,
        timeout: float,
        attempts: int = 2,
    ) -> None:
        """Take the parts; ``timeout`` is in seconds for one try, and ``attempts`` includes the first."""
        headers = {"User-Agent": user_agent, "Content-Type": "application/json"}
        self._intake = http.endpoint("POST", intake_url(url), headers)
        self._timeout = timeout
        self._attempts = attempts

    async def produce(self, event: Mapping[str, Any], deadline: float) -> None:
        """Send one event, and return when EventGate has accepted it, before the deadline (event loop time, seconds).

        Raises:
            GateUnavailableError: EventGate did not confirm the event.
            GateRejectedError: EventGate refused the event, and a retry cannot help.

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
    """Return the body of a refusal, or {} if it is not an object: the answer may not be EventGate's."""
    try:
        document = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        document = {}
    return document if isinstance(document, dict) else {}


def _refusal(status: int, document: Mapping[str, Any]) -> GateUnavailableError | GateRejectedError:
    """Return the error for an answer that is not 201: configuration and validation errors are final, others are not."""
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
    # Any other answer is not about our event: it can be of a proxy without a route during a deployment.
    return GateUnavailableError(f"status_{status}")


def _entries(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; [] if it is not a list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _context(entry: dict[str, Any]) -> dict[str, Any]:
    context = entry.get("context")
    return context if isinstance(context, dict) else {}


def _message(entry: dict[str, Any]) -> str:
    return str(_context(entry).get("message", ""))


def _faults(entry: dict[str, Any]) -> tuple[str, ...]:
    """Return the keyword and the data path of each violation in an ``invalid`` entry."""
    return tuple(
        f"{_safe(error.get('keyword'))} at {_safe(error.get('dataPath')) or '/'}"
        for error in _entries(_context(entry).get("errors"))
    )


def _safe(name: Any) -> str:
    return name if isinstance(name, str) and _SAFE_NAME.fullmatch(name) else "?"
