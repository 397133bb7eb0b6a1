"""How the Action API's answers look as HTTP."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from mock_mediawiki.parameters import ApiError

API_PATH: Final = "/w/api.php"
_DOCREF: Final = "See https://{domain}" + API_PATH + " for API usage."


def json_answer(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a document as JSON."""
    return web.Response(
        body=orjson.dumps(body),
        status=status,
        content_type="application/json",
        charset="utf-8",
        headers=headers,
    )


def error_answer(error: ApiError, domain: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an error of a wiki's API: as in MediaWiki it is an answer with status 200, named in a header."""
    shown = {"code": error.code, "info": error.info, **error.more, "docref": _DOCREF.format(domain=domain)}
    return json_answer(
        {"error": shown, "servedby": "mock-mediawiki"},
        headers={"MediaWiki-API-Error": error.code, **(headers or {})},
    )
