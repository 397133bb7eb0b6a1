"""The routes that accept events, with EventGate's statuses, reason phrases and bodies.

The message for people is the HTTP reason phrase; only an answer about failed events has a body. Requested faults
are applied here.
"""

import asyncio
import copy
from contextlib import suppress
from typing import Any, Final

from aiohttp import web

from mock_eventgate.body import BodyError, read_json
from mock_eventgate.faults import GateFault, Kind
from mock_eventgate.gate import Gate, GateOutcome
from mock_eventgate.store import stream_name
from mock_eventgate.streams import TEST_STREAM
from revertrisk.mock_server.faults import FaultBoard
from revertrisk.mock_server.http import reset_connection
from revertrisk.runtime.headers import header_text
from revertrisk.runtime.web_server import json_answer

_TEST_EVENTS: Final = [
    {
        "$schema": "/test/event/1.0.0",
        "meta": {"stream": TEST_STREAM},
        "test": "the gate can produce events",
    }
]


class Intake:
    """Handlers of ``/v1/events`` and ``/v1/_test/events``. ``max_body`` is in bytes, decompressed."""

    def __init__(self, gate: Gate, board: FaultBoard[GateFault], *, max_body: int) -> None:
        self._gate = gate
        self._board = board
        self._max_body = max_body

    async def post_events(self, request: web.Request) -> web.Response:
        """Judge and produce the event, or array of events, in the body."""
        try:
            document = await read_json(request, self._max_body)
        except BodyError as error:
            answer = _body_refused(request, error)
        else:
            answer = await self._answer(request, document if isinstance(document, list) else [document])
        if request.transport is not None and not request.transport.is_closing():
            self._gate.stats.count_answer(answer.status)
        return answer

    async def produce_test_events(self, request: web.Request) -> web.Response:
        """Produce a test event from end to end, for readiness probes."""
        return await self._answer(request, copy.deepcopy(_TEST_EVENTS))

    async def _answer(self, request: web.Request, events: list[Any]) -> web.Response:
        if not events or events == [{}]:
            return web.Response(
                status=400, reason="Request body was empty. Must provide JSON encoded events."
            )
        streams = [stream_name(event) for event in events]
        fault = self._board.select(lambda fault: fault.concerns(streams))
        if fault is None:
            return self._produce(request, events)
        return await self._misbehave(request, events, fault)

    def _produce(
        self, request: web.Request, events: list[Any], fault: GateFault | None = None
    ) -> web.Response:
        hasty = _is_hasty(request)
        outcome = self._gate.process(
            events,
            request_id=header_text(request.headers, "X-Request-ID"),
            hasty=hasty,
            kafka_refuses=None if fault is None else fault.refuses,
        )
        return _hastily_received(events) if hasty else _answer(outcome)

    async def _misbehave(self, request: web.Request, events: list[Any], fault: GateFault) -> web.Response:
        """Apply a fault. After a reset of the connection the returned answer is not sent."""
        if fault.status is not None and not fault.produces:
            return web.Response(status=fault.status, text="upstream request failed\n")
        answer = self._produce(request, events, fault) if fault.produces else _hastily_received(events)
        match fault.kind:
            case Kind.HANG | Kind.ACCEPT_THEN_HANG if _is_hasty(request):
                pass  # EventGate answers a hasty request before it produces to Kafka
            case Kind.HANG | Kind.ACCEPT_THEN_HANG:
                await self._board.released()
                reset_connection(request)
            case Kind.RESET | Kind.ACCEPT_THEN_RESET:
                reset_connection(request)
            case Kind.DELAY:
                with suppress(TimeoutError):
                    async with asyncio.timeout(fault.seconds):
                        await self._board.released()
        return answer


def _is_hasty(request: web.Request) -> bool:
    return bool(request.query.get("hasty"))


def _hastily_received(events: list[Any]) -> web.Response:
    return web.Response(status=202, reason=f"{len(events)} events hastily received.")


def _answer(outcome: GateOutcome) -> web.Response:
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
    return json_answer(entries, status=status, reason=reason)


def _body_refused(request: web.Request, error: BodyError) -> web.Response:
    problem = {
        "status": 500,
        "type": "internal_error",
        "title": error.title,
        "detail": str(error),
        "method": request.method,
        "uri": request.path_qs,
    }
    return json_answer(problem, status=500, reason="Internal Server Error")
