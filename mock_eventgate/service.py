"""EventGate's other routes: stream configuration, service information, and the 404 page."""

import re
from collections.abc import Iterable
from html import escape
from importlib.metadata import version
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from mock_eventgate.gate import Gate
from revertrisk.mock_server.http import MOCK_PREFIX
from revertrisk.runtime.headers import header_text
from revertrisk.runtime.web_server import json_answer

STREAM_PREFIX: Final = "/v2/stream"
_NAME: Final = "mock-eventgate"
_DESCRIPTION: Final = "EventGate's HTTP contract for development and tests; nothing reaches Kafka"
_NAME_SEPARATORS: Final = re.compile(r"[,|]")


class GateService:
    """Handlers of the routes about the service."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        # EventGate's clients and dashboards read these fields; the values name the mock.
        self._info = {"name": _NAME, "version": version("revertrisk-events"), "description": _DESCRIPTION}

    async def stream_configs(self, request: web.Request) -> web.Response:
        """Return the settings of all streams, or of those named ``a,b`` or ``a|b`` in the path."""
        names = request.match_info.get("names")
        wanted = None if names is None else _NAME_SEPARATORS.split(names)
        return json_answer(self._gate.streams.published(wanted))

    async def info(self, request: web.Request) -> web.Response:
        """Return name, version and description, or one of them."""
        field = request.match_info.get("field")
        if field is None:
            return json_answer(self._info)
        if field not in self._info:
            raise web.HTTPNotFound
        return json_answer({field: self._info[field]})

    async def root(self, request: web.Request) -> web.Response:
        """Return the OpenAPI description at ``/?spec``; ``/`` without it is not found."""
        if "spec" not in request.query:
            raise web.HTTPNotFound
        accepted = {"201": {"description": "All events were accepted."}}
        return json_answer(
            {
                "openapi": "3.0.0",
                "info": {"title": self._info["name"], "version": self._info["version"]},
                "paths": {"/v1/events": {"post": {"responses": accepted}}},
            }
        )

    async def robots(self, _request: web.Request) -> web.Response:
        """Disallow all crawlers."""
        return web.Response(text="User-agent: *\nDisallow: /\n")


def gate_middleware(gate: Gate) -> Middleware:
    """Return a middleware that counts requests to EventGate's own routes, and answers unknown paths as Express does."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith((MOCK_PREFIX, STREAM_PREFIX)):
            gate.stats.count_request(request.transport, header_text(request.headers, "User-Agent"))
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return _cannot(request)
        except web.HTTPMethodNotAllowed as error:
            return (
                _options(error.allowed_methods) if request.method == hdrs.METH_OPTIONS else _cannot(request)
            )

    return middleware


def _options(methods: Iterable[str]) -> web.Response:
    allowed = ",".join(sorted(methods))
    return web.Response(text=allowed, content_type="text/html", headers={"Allow": allowed})


def _cannot(request: web.Request) -> web.Response:
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>Error</title></head>\n'
        f"<body><pre>Cannot {request.method} {escape(request.rel_url.raw_path)}</pre></body>\n</html>\n"
    )
    return web.Response(text=page, status=404, content_type="text/html")
