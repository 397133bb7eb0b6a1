"""``/w/api.php``: serves the Action API over HTTP, and applies the faults in force."""

from typing import Final

from aiohttp import web

from mock_mediawiki.api import ActionApi
from mock_mediawiki.fault_board import WikiFaultBoard
from mock_mediawiki.misbehaviour import misbehave
from mock_mediawiki.parameters import ApiError, Parameters, error_answer
from mock_mediawiki.request_log import LoggedRequest, RequestLog
from revertrisk.runtime.headers import header_text
from revertrisk.runtime.web_server import asked_host, json_answer
from revertrisk.wiki.table import Wiki, WikiTable

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_NO_WIKI: Final = (
    "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>No wiki found</title>"
    "<h1>No wiki found</h1><p>There is no wiki at this address.</p></html>"
)


class ApiRoute:
    """The handler of ``/w/api.php``. The host selects the wiki; a loopback host selects ``default_wiki_id``."""

    def __init__(
        self, api: ActionApi, wikis: WikiTable, default_wiki_id: str, board: WikiFaultBoard, log: RequestLog
    ) -> None:
        self._api = api
        self._wikis = wikis
        self._default_wiki_id = default_wiki_id
        self._board = board
        self._log = log

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a GET, or a POST with a form."""
        values = dict(request.query.items())
        if request.method == "POST":
            values |= await _form(request)
        logged = LoggedRequest(asked_host(request), request.method, values)
        with self._log.request(request.transport, header_text(request.headers, "User-Agent") or "", logged):
            response = await self._answer(request, logged)
        if response is None:
            return web.Response()  # aiohttp requires a response; the connection is closed
        logged.status = response.status
        return response

    async def _answer(self, request: web.Request, logged: LoggedRequest) -> web.StreamResponse | None:
        wiki = self._wiki(logged.host)
        fault = self._board.select_for_request(None if wiki is None else wiki.wiki_id)
        if fault is None:
            return self._right_answer(wiki, logged)
        logged.fault = fault.kind
        domain = logged.host if wiki is None else wiki.domain
        return await misbehave(fault, request, self._board, domain, lambda: self._right_answer(wiki, logged))

    def _wiki(self, host: str) -> Wiki | None:
        if host in _LOOPBACK:
            return self._wikis.by_id(self._default_wiki_id)
        return self._wikis.by_domain(host)

    def _right_answer(self, wiki: Wiki | None, logged: LoggedRequest) -> web.Response:
        if wiki is None:
            return web.Response(status=404, text=_NO_WIKI, content_type="text/html")
        parameters = Parameters(logged.params)
        try:
            view = self._board.view(self._api.history, wiki.wiki_id, _rev_ids(parameters))
            return json_answer(self._api.answer(wiki, parameters, view))
        except ApiError as exc:
            logged.error = exc.code
            return error_answer(exc, wiki.domain)


async def _form(request: web.Request) -> dict[str, str]:
    try:
        form = await request.post()
    except (ValueError, LookupError):  # invalid in its charset, an unknown charset, or no multipart boundary
        raise web.HTTPBadRequest(text="body: expected a form\n") from None
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _rev_ids(parameters: Parameters) -> list[int]:
    return parameters.integers("revids") if parameters.given("revids") else []
