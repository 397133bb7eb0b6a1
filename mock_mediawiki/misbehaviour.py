"""Applies a fault to a request: answers wrongly, late, in part, or not at all."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from html import escape
from http import HTTPStatus
from typing import Final, TypeAlias

from aiohttp import web

from mock_mediawiki.fault_board import WikiFaultBoard
from mock_mediawiki.faults import (
    ApiErrorFault,
    CutFault,
    DelayFault,
    HangFault,
    HtmlFault,
    MaxlagFault,
    NotJsonFault,
    RateLimitedFault,
    RedirectFault,
    RequestFault,
    ResetFault,
    StatusFault,
)
from mock_mediawiki.parameters import ApiError, error_answer
from revertrisk.mock_server.http import reset_connection

_NOT_JSON: Final = "Warning: this body is not JSON"
_PAGE: Final = (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>\n'
    "<body><h1>{title}</h1><p>This page was made by a proxy, not by the wiki.</p></body></html>\n"
)

_Page: TypeAlias = HtmlFault | RateLimitedFault | RedirectFault | StatusFault
_Instead: TypeAlias = _Page | ApiErrorFault | MaxlagFault | NotJsonFault


async def misbehave(
    fault: RequestFault,
    request: web.Request,
    board: WikiFaultBoard,
    domain: str,
    answer: Callable[[], web.Response],
) -> web.StreamResponse | None:
    """Apply a fault. ``answer`` makes the correct answer, for the faults that use it.

    Return the response, or None if the connection was closed without a whole answer.
    """
    match fault:
        case DelayFault(seconds=seconds):
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await board.released()
            return answer()
        case HangFault():
            await board.released()
            reset_connection(request)
        case ResetFault():
            reset_connection(request)
        case CutFault():
            await _cut(request, answer())
        case _:
            return _instead(fault, domain)
    return None


def _instead(fault: _Instead, domain: str) -> web.Response:
    match fault:
        case NotJsonFault():
            return web.Response(text=_NOT_JSON, content_type="application/json")
        case ApiErrorFault(code=code, info=info):
            return error_answer(ApiError(code, info or "The mock was asked for this error."), domain)
        case MaxlagFault(lag=lag, retry_after=retry_after):
            server = {"host": "mock-db", "lag": lag, "type": "db"}
            error = ApiError("maxlag", f"Waiting for mock-db: {lag:g} seconds lagged.", **server)
            headers = {"Retry-After": str(retry_after), "X-Database-Lag": str(int(lag))}
            return error_answer(error, domain, headers)
        case _:
            return _page(fault)


def _page(fault: _Page) -> web.Response:
    headers: dict[str, str] = {}
    match fault:
        case HtmlFault():
            status = int(HTTPStatus.OK)
        case RateLimitedFault(retry_after=retry_after):
            status = int(HTTPStatus.TOO_MANY_REQUESTS)
            headers["Retry-After"] = str(retry_after)
        case RedirectFault(status=status, location=location):
            headers["Location"] = location
        case StatusFault(status=status, retry_after=retry_after):
            if retry_after is not None:
                headers["Retry-After"] = str(retry_after)
    text = _PAGE.format(title=escape(f"{status} {_phrase(status)}"))
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)


async def _cut(request: web.Request, answer: web.Response) -> None:
    body = answer.body if isinstance(answer.body, bytes) else b""
    half = web.StreamResponse(headers=answer.headers)
    half.content_length = len(body)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()  # sends the written bytes first


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
