"""Answers in JSON."""

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web


def json_answer(
    document: Any,
    *,
    status: int = 200,
    reason: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return a document as JSON; ``reason`` is the HTTP reason phrase, by default the status' own."""
    return web.Response(
        body=orjson.dumps(document),
        status=status,
        reason=reason,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )


def bad_request(message: str) -> web.HTTPBadRequest:
    """Return the error to raise for a request to ``/_mock/`` that cannot be used; the message names the field."""
    return web.HTTPBadRequest(text=orjson.dumps({"error": message}).decode(), content_type="application/json")
