"""The ``/_mock/`` routes that return accepted events, refused events and counts, and reset them.

EventGate itself has no such routes.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from mock_eventgate.faults import GateFault
from mock_eventgate.gate import Gate
from mock_eventgate.store import BoundedLog, Item
from revertrisk.mock_server.faults import FaultBoard
from revertrisk.mock_server.http import bad_request
from revertrisk.runtime.web_server import json_answer

DEFAULT_LIMIT: Final = 1000
MAX_LIMIT: Final = 10_000
REFUSED_PARAMETERS: Final = ("stream", "wiki_id", "rev_id", "after", "limit")
EVENT_PARAMETERS: Final = (*REFUSED_PARAMETERS, "offset")
_LARGEST: Final = 2**53
_DIGITS: Final = re.compile(r"[0-9]{1,16}")


class Readback:
    """Handlers of ``/_mock/events``, ``refused`` and ``stats``; every answer is JSON."""

    def __init__(self, gate: Gate, board: FaultBoard[GateFault]) -> None:
        self._gate = gate
        self._board = board

    async def index(self, _request: web.Request) -> web.Response:
        """List the routes, for programs; a browser gets the live page."""
        return json_answer(
            {
                "/_mock/": "in a browser, the live page",
                "/_mock/events": f"accepted events, oldest first: {_listed(EVENT_PARAMETERS)}",
                "/_mock/refused": f"refused events with their reasons: {_listed(REFUSED_PARAMETERS)}",
                "/_mock/stats": "counts of requests, connections, user agents, answers, events and faults",
                "DELETE /_mock/events": "forget all events and counts",
                "/_mock/live": "what the live page polls: counts, and refused events ?after= in an ?epoch=",
                "/_mock/reasons": "why ?model= gave ?wiki_id= ?rev_id= its risk, asked of its server",
                "PUT /_mock/explainers": "the servers to ask: an object with an address for each model",
                "/_mock/faults": "faults in force; PUT one or an array, POST more, DELETE them all",
                "POST /_mock/canaries": "produce a canary event to each stream, or to ?streams=a,b",
                "/v2/stream/<streams>": "accepted events as EventStreams serves them: ?since=, Last-Event-ID",
            }
        )

    async def events(self, request: web.Request) -> web.Response:
        """Return accepted events; ``offset`` is the first one wanted in each topic.

        To follow all topics, pass the last answer's ``next_after`` as ``after``.
        """
        _check_names(request, EVENT_PARAMETERS)
        streams = self._gate.streams.published()
        stream = request.query.get("stream")
        if stream is not None and stream not in streams:
            raise bad_request(f"stream: expected one of {', '.join(streams)}")
        return _page(
            self._gate.store.produced, request, first_offset=integer_parameter(request, "offset", 0, 0)
        )

    async def refused(self, request: web.Request) -> web.Response:
        """Return refused events, each with the entry that the gate answered; their streams can be unknown ones."""
        _check_names(request, REFUSED_PARAMETERS)
        return _page(self._gate.store.refused, request)

    async def stats(self, _request: web.Request) -> web.Response:
        """Return the counters and the sizes of the stores."""
        store = self._gate.store
        held = {
            "events": {"stored": len(store.produced), "dropped": store.produced.dropped},
            "refused_events": {"stored": len(store.refused), "dropped": store.refused.dropped},
        }
        return json_answer(self._gate.stats.as_json() | {"faults": self._board.counts()} | held)

    async def reset(self, _request: web.Request) -> web.Response:
        """Delete all events and counts."""
        self._gate.reset()
        self._board.forget()
        return web.Response(status=204)


def _listed(parameters: Sequence[str]) -> str:
    return "?" + " &".join(f"{name}=" for name in parameters)


def _check_names(request: web.Request, known: Sequence[str]) -> None:
    """Refuse a query with an unknown parameter: ignored, it would look like a filter that finds nothing or all."""
    for name in request.query:
        if name not in known:
            raise bad_request(f"{name}: is not known; expected one of {', '.join(known)}")


def _page(log: BoundedLog[Item], request: web.Request, *, first_offset: int = 0) -> web.Response:
    after = integer_parameter(request, "after", 0, 0)
    limit = integer_parameter(request, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    rev_id = integer_parameter(request, "rev_id", 0, 1)
    stream, wiki_id = request.query.get("stream"), request.query.get("wiki_id")
    found: list[dict[str, Any]] = []
    for item in log.after(after):
        if len(found) == limit:
            break
        after = item.sequence
        if stream is not None and item.stream != stream:
            continue
        if wiki_id is not None and item.wiki_id != wiki_id:
            continue
        if rev_id and item.rev_id != rev_id:
            continue
        if getattr(item, "offset", 0) >= first_offset:
            found.append(item.as_json())
    return json_answer({"events": found, "next_after": after, "dropped": log.dropped})


def integer_parameter(
    request: web.Request, name: str, default: int, minimum: int, maximum: int = _LARGEST
) -> int:
    """Return a whole number from the query.

    Raises:
        HTTPBadRequest: it is something else, or out of range.

    """
    text = request.query.get(name)
    if text is None:
        return default
    if _DIGITS.fullmatch(text) and minimum <= int(text) <= maximum:
        return int(text)
    raise bad_request(f"{name}: expected an integer from {minimum} to {maximum}")
