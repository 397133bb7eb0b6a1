"""``/_mock/``: what clients asked, as JSON and as the mock's front page, and what goes wrong on request."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import orjson
from aiohttp import web

from mock_mediawiki.fault_board import WikiFaultBoard
from mock_mediawiki.pages.html_page import html_page
from mock_mediawiki.request_log import LoggedRequest, RequestLog
from revertrisk.mock_server.http import json_answer

_SHOWN: Final = 100
_LONGEST: Final = 100
_USUAL: Final = {"action": "query", "format": "json", "formatversion": "2"}


class LogRoutes:
    """Handlers of ``/_mock/``, ``/_mock/stats`` and ``/_mock/requests``."""

    def __init__(self, log: RequestLog, board: WikiFaultBoard) -> None:
        self._log = log
        self._board = board

    async def page(self, _request: web.Request) -> web.Response:
        """Return the request log as a page."""
        return html_page(
            "Mock MediaWiki", log_page(self._log.stats(), self._log.last(), self._board.as_json())
        )

    async def stats(self, _request: web.Request) -> web.Response:
        """Return the counts, those of struck requests by the fault's kind included."""
        return json_answer(self._log.stats() | {"faults": self._board.counts()})

    async def requests(self, _request: web.Request) -> web.Response:
        """Return the last requests, oldest first."""
        return json_answer([request.as_json() for request in self._log.last()])

    async def forget(self, _request: web.Request) -> web.Response:
        """Forget all requests and counts; faults stay in force."""
        self._log.clear()
        self._board.forget()
        return web.Response(status=204)


def log_page(stats: Mapping[str, Any], requests: Sequence[LoggedRequest], faults: Sequence[Any]) -> str:
    """Return the body of the page; ``requests`` are oldest first, and the page is newest first."""
    rows = "".join(map(_row, list(reversed(requests))[:_SHOWN]))
    table = (
        '<div class="wide">\n<table>\n'
        f"<caption>The last {min(_SHOWN, len(requests))} of {stats['requests']} requests, newest first</caption>\n"
        '<thead><tr><th scope="col">Time (UTC)</th><th scope="col">Host</th><th scope="col">Asked</th>'
        f'<th scope="col">Answer</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n'
    )
    return (
        '<main>\n<h1>Mock MediaWiki</h1>\n<p class="dim">As JSON: <a href="/_mock/requests">requests</a>, '
        '<a href="/_mock/stats">counts</a>, <a href="/_mock/faults">faults</a>.</p>\n'
        f"<h2>Requests</h2>\n{table if requests else '<p>None yet.</p>'}\n"
        f"<h2>Faults in force</h2>\n{_faults(faults)}</main>\n"
    )


def _row(request: LoggedRequest) -> str:
    answer = "no whole answer" if request.status is None else str(request.status)
    marks = [mark for mark in (request.error, request.fault and f"fault: {request.fault}") if mark]
    return (
        f"<tr><td>{request.time:%H:%M:%S}</td><td>{escape(_short(request.host))}</td>"
        f'<td class="text">{escape(_asked(request))}</td>'
        f"<td>{escape(', '.join([answer, *marks]))}</td></tr>\n"
    )


def _asked(request: LoggedRequest) -> str:
    """Return the parameters that tell something, without those that every client sends."""
    told = (
        f"{_short(name)}={_short(value)}"
        for name, value in request.params.items()
        if _USUAL.get(name) != value
    )
    return f"{request.method} {' '.join(told)}"


def _faults(faults: Sequence[Any]) -> str:
    if not faults:
        return "<p>None.</p>\n"
    items = "".join(f"<li><code>{escape(orjson.dumps(fault).decode())}</code></li>\n" for fault in faults)
    return f"<ul>\n{items}</ul>\n"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
