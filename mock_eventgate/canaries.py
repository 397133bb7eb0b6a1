"""``/_mock/canaries``: produces canary events as Wikimedia does for each stream."""

import copy
from typing import Any

from aiohttp import web

from mock_eventgate.gate import Gate
from revertrisk.event_platform.schemas import SchemaNotFoundError, SchemaRepository
from revertrisk.event_platform.streams import CANARY_DOMAIN
from revertrisk.mock_server.http import bad_request
from revertrisk.runtime.headers import header_text
from revertrisk.runtime.web_server import json_answer


class CanaryRoutes:
    """The handler of ``/_mock/canaries``."""

    def __init__(self, gate: Gate, schemas: SchemaRepository) -> None:
        self._gate = gate
        self._schemas = schemas

    async def produce(self, request: web.Request) -> web.Response:
        """Produce a canary event to each stream that has canaries, or to those in ``?streams=a,b``.

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
                produced[name] = event["meta"].get("id")  # None if the schema has no meta.id
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
        # The gate fills these in, so that each canary is a new event of the present time.
        for field in ("id", "dt"):
            meta.pop(field, None)
        return event
