"""``/_mock/faults``: what goes wrong on request."""

from collections.abc import Callable, Collection
from typing import Any, Final

import orjson
from aiohttp import web

from mock_mediawiki.answers import json_answer
from mock_mediawiki.fault_board import FaultBoard
from mock_mediawiki.faults import FaultError, RequestFault, RevisionFault, read_faults
from revertrisk.wiki.table import WikiTable

_MAX_BODY: Final = 100 * 1024


class FaultRoutes:
    """Handlers of ``/_mock/faults``."""

    def __init__(self, board: FaultBoard, wikis: WikiTable) -> None:
        self._board = board
        self._wikis = wikis

    async def show(self, _request: web.Request) -> web.Response:
        """Return the faults in force, each with how often it has fired."""
        return json_answer(self._board.as_json())

    async def replace(self, request: web.Request) -> web.Response:
        """Put a fault, or an array of faults, in force instead of all earlier ones; what hangs is let go."""
        return await self._set(request, self._board.replace, status=200)

    async def add(self, request: web.Request) -> web.Response:
        """Put a fault, or an array of faults, in force behind the earlier ones."""
        return await self._set(request, self._board.add, status=201)

    async def clear(self, _request: web.Request) -> web.Response:
        """Lift all faults; what hangs is let go."""
        self._board.replace([])
        return web.Response(status=204)

    async def _set(
        self,
        request: web.Request,
        put: Callable[[Collection[RequestFault | RevisionFault]], None],
        *,
        status: int,
    ) -> web.Response:
        try:
            put(read_faults(await _document(request), self._wikis))
        except FaultError as exc:
            return json_answer({"error": str(exc)}, status=400)
        return json_answer(self._board.as_json(), status=status)


async def _document(request: web.Request) -> Any:
    body = await request.content.read(_MAX_BODY + 1)
    while len(body) <= _MAX_BODY and (more := await request.content.read(_MAX_BODY + 1)):
        body += more
    if len(body) > _MAX_BODY:
        raise FaultError(f"body: expected at most {_MAX_BODY} bytes")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise FaultError("body: expected JSON") from None
