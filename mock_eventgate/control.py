"""The ``/_mock/`` routes that make things happen: faults, and canary events."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import orjson
from aiohttp import web

from mock_eventgate.answers import bad_request, json_answer
from mock_eventgate.bell import Bell
from mock_eventgate.faults import FaultError, Faults, read_fault, read_faults
from mock_eventgate.gate import Gate
from revertrisk.event_platform.schemas import SchemaNotFoundError, SchemaRepository
from revertrisk.runtime.headers import header_text

CANARY_DOMAIN: Final = "canary"
_MAX_BODY: Final = 100 * 1024


class FaultRoutes:
    """Handlers of ``/_mock/faults``. ``released`` rings when requests that hang are to end."""

    def __init__(self, gate: Gate, faults: Faults, released: Bell) -> None:
        self._gate = gate
        self._faults = faults
        self._released = released

    async def show(self, _request: web.Request) -> web.Response:
        """Return the faults in force, each with how often it has fired."""
        return json_answer(self._faults.as_json())

    async def replace(self, request: web.Request) -> web.Response:
        """Put an array of faults in force instead of all earlier ones; requests that hang are ended."""
        document = await _document(request)
        with _faults_answered_400():
            self._faults.replace(read_faults(document, self._gate.streams.published()))
        self._released.ring()
        return json_answer(self._faults.as_json())

    async def add(self, request: web.Request) -> web.Response:
        """Put one more fault in force."""
        document = await _document(request)
        with _faults_answered_400():
            self._faults.add(read_fault(document, self._gate.streams.published()))
        return json_answer(self._faults.as_json(), status=201)

    async def clear(self, _request: web.Request) -> web.Response:
        """Lift all faults; requests that hang are ended."""
        self._faults.replace([])
        self._released.ring()
        return web.Response(status=204)


class CanaryRoutes:
    """The handler of ``/_mock/canaries``."""

    def __init__(self, gate: Gate, schemas: SchemaRepository) -> None:
        self._gate = gate
        self._schemas = schemas

    async def produce(self, request: web.Request) -> web.Response:
        """Produce a canary event to each stream that has them, or to those in ``?streams=a,b``.

        The event is the first example of the stream's schema, as Wikimedia's canaries are.
        """
        produced: dict[str, str | None] = {}
        failed: dict[str, str] = {}
        for name in self._wanted(request):
            try:
                event = self._canary(name)
            except SchemaNotFoundError as error:
                failed[name] = str(error)
                continue
            outcome = self._gate.process([event], request_id=header_text(request.headers, "X-Request-ID"))
            if outcome.accepted:
                produced[name] = event["meta"].get("id")  # none if the schema has none
            else:
                failed[name] = "its schema's first example is not a valid event"
        return json_answer({"produced": produced, "failed": failed}, status=500 if failed else 201)

    def _wanted(self, request: web.Request) -> list[str]:
        configured = self._gate.streams.published()
        if "streams" not in request.query:
            return [name for name, settings in configured.items() if settings["canary_events_enabled"]]
        wanted = request.query["streams"].split(",")
        if any(name not in configured for name in wanted):
            raise bad_request("streams: expected names of configured streams, joined by commas")
        return wanted

    def _canary(self, name: str) -> dict[str, Any]:
        title = self._gate.streams.published([name])[name]["schema_title"]
        examples = self._schemas.load(f"/{title}/latest").get("examples")
        if not examples:
            raise SchemaNotFoundError(f"no example in the schema {title}")
        event: dict[str, Any] = copy.deepcopy(examples[0])
        meta = event.setdefault("meta", {})
        meta |= {"stream": name, "domain": CANARY_DOMAIN}
        # Each canary is an event of its own, of now: the gate fills these in.
        for field in ("id", "dt"):
            meta.pop(field, None)
        return event


async def _document(request: web.Request) -> Any:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > _MAX_BODY:
            raise bad_request(f"body: expected at most {_MAX_BODY} bytes")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise bad_request("body: expected JSON") from None


@contextmanager
def _faults_answered_400() -> Iterator[None]:
    try:
        yield
    except FaultError as error:
        raise bad_request(str(error)) from None
