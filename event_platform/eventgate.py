"""The EventGate client: one event in, accepted or an error that says whether trying again can help.

Written for EventGate 1.8's contract: 201 accepts; 400 means that the event is invalid; 500 means anything
from a stream that is not configured (ours to mend) to a broker that is away (try again), which only the
entries of its body tell apart; with Kafka down it hangs, and a timeout may still have produced the event.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import stamina

DEFAULT_PATH = "/v1/events"
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
MAX_ANSWER_BYTES = 1 << 20
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


class EventGateClient:
    """Posts events to EventGate, each awaited until it is accepted."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, *, timeout: float, attempts: int = 2
    ) -> None:
        """``timeout`` is in seconds, for one try; ``attempts`` counts the first one."""
        self._session = session
        self._url = intake_url(url)
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._attempts = attempts

    async def produce(self, event: Mapping[str, Any]) -> None:
        """Send one event and return once EventGate has accepted it.

        Raises :class:`EventGateUnavailableError` and :class:`EventRejectedError`.
        """
        body = orjson.dumps(event)
        async for attempt in stamina.retry_context(
            on=EventGateUnavailableError,
            attempts=self._attempts,
            timeout=None,
            wait_initial=0.1,
            wait_jitter=0.1,
        ):
            with attempt:
                await self._post(body)

    async def _post(self, body: bytes) -> None:
        try:
            async with self._session.post(
                self._url,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=self._timeout,
                allow_redirects=False,
            ) as answer:
                if answer.status == 201:  # noqa: PLR2004 - the one status that accepts
                    return
                raise _refusal(answer.status, await _read_some(answer.content))
        except TimeoutError as exc:
            raise EventGateUnavailableError("timeout", maybe_produced=True) from exc
        except aiohttp.ClientConnectorError as exc:
            raise EventGateUnavailableError("connection_failed") from exc
        except (aiohttp.ClientError, asyncio.IncompleteReadError, ConnectionError) as exc:
            raise EventGateUnavailableError("connection_lost", maybe_produced=True) from exc


def _refusal(status: int, body: bytes) -> EventGateUnavailableError | EventRejectedError:
    """Read an answer that is not 201: configuration and validation errors are final, the rest is not."""
    try:
        document = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        document = {}
    if not isinstance(document, dict):
        document = {}
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


async def _read_some(content: aiohttp.StreamReader) -> bytes:
    """Read an answer to its end, or to the most that is worth reading."""
    body = bytearray()
    async for chunk in content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) >= MAX_ANSWER_BYTES:
            break
    return bytes(body)


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
