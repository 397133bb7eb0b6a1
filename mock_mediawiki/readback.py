"""``/_mock/``: what clients asked, for tests and people to read back."""

from aiohttp import web

from mock_mediawiki.answers import json_answer
from mock_mediawiki.fault_board import FaultBoard
from mock_mediawiki.pages.html_page import html_page
from mock_mediawiki.pages.log_page import log_page
from mock_mediawiki.request_log import RequestLog


class Readback:
    """Handlers of ``/_mock/``, ``/_mock/stats`` and ``/_mock/requests``."""

    def __init__(self, log: RequestLog, board: FaultBoard) -> None:
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
