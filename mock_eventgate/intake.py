"""The routes that take events in, with EventGate's statuses, reason phrases and bodies.

The message for people is the HTTP reason phrase; a body is there only where events failed.
"""

import copy
from typing import Any, Final

import orjson
from aiohttp import web

from mock_eventgate.body import BodyError, read_json
from mock_eventgate.gate import Gate, Outcome
from mock_eventgate.streams import TEST_STREAM

_TEST_EVENTS: Final = [
    {
        "$schema": "/test/event/1.0.0",
        "meta": {"stream": TEST_STREAM},
        "test": "the gate can produce events",
    }
]


class Intake:
    """Handlers of ``/v1/events`` and ``/v1/_test/events``. ``max_body`` is in bytes, decompressed."""

    def __init__(self, gate: Gate, *, max_body: int) -> None:
        self._gate = gate
        self._max_body = max_body

    async def post_events(self, request: web.Request) -> web.Response:
        """Judge and produce the event, or array of events, in the body."""
        try:
            document = await read_json(request, self._max_body)
        except BodyError as error:
            answer = _body_refused(request, error)
        else:
            answer = self._answer(request, document if isinstance(document, list) else [document])
        self._gate.stats.count_answer(answer.status)
        return answer

    async def produce_test_events(self, request: web.Request) -> web.Response:
        """Produce a test event end to end: a readiness probe."""
        return self._answer(request, copy.deepcopy(_TEST_EVENTS))

    async def options(self, _request: web.Request) -> web.Response:
        """Answer an OPTIONS request as Express does."""
        return web.Response(text="POST", content_type="text/html", headers={"Allow": "POST"})

    def _answer(self, request: web.Request, events: list[Any]) -> web.Response:
        if not events or events == [{}]:
            return web.Response(
                status=400, reason="Request body was empty. Must provide JSON encoded events."
            )
        hasty = bool(request.query.get("hasty"))
        outcome = self._gate.process(events, request_id=request.headers.get("X-Request-ID"), hasty=hasty)
        if hasty:
            return web.Response(status=202, reason=f"{outcome.total} events hastily received.")
        return _answer(outcome)


def _answer(outcome: Outcome) -> web.Response:
    total, invalid, errors = outcome.total, len(outcome.invalid), len(outcome.errors)
    failed = invalid + errors
    if not failed:
        reason = f"All {total} out of {total} events were accepted."
        return web.Response(status=201, reason=reason)
    entries = {
        "invalid": [refused.entry for refused in outcome.invalid],
        "error": [refused.entry for refused in outcome.errors],
    }
    if invalid == total:
        status, reason = 400, f"{invalid} out of {total} events were invalid and not accepted."
        del entries["error"]
    elif failed < total:
        status = 207
        reason = (
            f"{outcome.accepted} out of {total} events were accepted, "
            f"but {failed} failed ({invalid} invalid and {errors} errored)."
        )
    else:
        status = 500
        reason = (
            f"{failed} out of {total} events had failures and were not accepted. "
            f"({invalid} invalid and {errors} errored)."
        )
    return _json(entries, status=status, reason=reason)


def _body_refused(request: web.Request, error: BodyError) -> web.Response:
    problem = {
        "status": 500,
        "type": "internal_error",
        "title": error.title,
        "detail": str(error),
        "method": request.method,
        "uri": request.path_qs,
    }
    return _json(problem, status=500, reason="Internal Server Error")


def _json(document: Any, *, status: int, reason: str) -> web.Response:
    return web.Response(
        body=orjson.dumps(document),
        status=status,
        reason=reason,
        content_type="application/json",
        charset="utf-8",
    )
