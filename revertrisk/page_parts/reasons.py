"""``…/reasons``: why a model gave a revision its risk.

Prediction events do not contain reasons, so the model's server is asked when a reader presses Why. A page may connect
only to its own server, which sends the request for it, and only to the configured model servers.
"""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import orjson
from aiohttp import web

from revertrisk.runtime.addresses import is_base_address
from revertrisk.runtime.web_server import json_answer

TIMEOUT: Final = 25.0
"""Seconds; a little more than the model server's own deadline."""
MAX_REASONS: Final = 200
"""More than any model has features; the page groups them and shows the strongest."""
MAX_CHANGES: Final = 3
_MAX_ANSWER: Final = 1024 * 1024
"""Bytes; a longer answer of a model server is ignored. An explanation has about 20 kB."""
_MAX_ERROR: Final = 300
_WIKI_ID: Final = re.compile(r"[a-z0-9_-]{1,64}")
_REV_ID: Final = re.compile(r"[1-9][0-9]{0,15}")


class Reasons:
    """The handler of the route. ``explain_by`` has the base address of each model's server."""

    def __init__(self, explain_by: Mapping[str, str]) -> None:
        self._explain_by = dict(explain_by)
        self._session: aiohttp.ClientSession

    @property
    def models(self) -> list[str]:
        """The models whose server is known."""
        return sorted(self._explain_by)

    async def open(self, _app: web.Application) -> AsyncIterator[None]:
        """Keep a client session open while the application runs."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as self._session:
            yield

    def replace(self, explain_by: Mapping[str, str]) -> None:
        """Replace the servers that are asked."""
        self._explain_by = dict(explain_by)

    async def answer(self, request: web.Request) -> web.Response:
        """Return the strongest reasons of ``?model=`` for its score of ``?wiki_id=&rev_id=``, or an error."""
        model, wiki_id, rev_id = (request.query.get(name, "") for name in ("model", "wiki_id", "rev_id"))
        if model not in self._explain_by:
            return _error(404, "model: expected a model whose server is known here")
        if not _WIKI_ID.fullmatch(wiki_id) or not _REV_ID.fullmatch(rev_id):
            return _error(400, "wiki_id, rev_id: expected those of a prediction")
        url = f"{self._explain_by[model].rstrip('/')}/v1/models/{quote(model, safe='')}:explain"
        body = orjson.dumps({"lang": wiki_id, "rev_id": int(rev_id)})
        try:
            async with self._session.post(url, data=body, allow_redirects=False) as answer:
                document = await _read(answer)
        except (aiohttp.ClientError, TimeoutError):
            return _error(502, "the model's server does not answer")
        try:
            return _json(strongest(document))
        except (KeyError, TypeError):  # an error, or another kind of server
            reason = document.get("error") if isinstance(document, dict) else None
            if not isinstance(reason, str):
                reason = "the model's server gave no reasons"
            return _error(502, reason[:_MAX_ERROR])


async def _read(answer: aiohttp.ClientResponse) -> Any:
    """Return the JSON of an answer; None if it is not JSON, or larger than `_MAX_ANSWER`."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > _MAX_ANSWER:
            return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def strongest(document: Any) -> dict[str, Any]:
    """Return the features and changes of an explanation with the largest effect, largest first.

    Raises:
        KeyError: a field is missing.
        TypeError: a field has another type than expected.

    """
    explanation = document["explanation"]
    reasons = sorted(explanation["contributions"], key=lambda each: -abs(each["amount"]))
    changes = sorted(explanation["spans"], key=lambda each: -abs(each["weight"]))
    return {
        "probability": document["output"]["probabilities"]["true"],
        "reasons": [
            {name: each[name] for name in ("name", "value", "amount")} for each in reasons[:MAX_REASONS]
        ],
        "changes": [
            {name: each[name] for name in ("removed", "inserted", "weight")} for each in changes[:MAX_CHANGES]
        ],
    }


def is_explain_by(document: Any) -> bool:
    """Return whether a document is an object from model names to addresses of servers."""
    return isinstance(document, dict) and all(
        model and isinstance(url, str) and is_base_address(url) for model, url in document.items()
    )


def read_explain_by(texts: Iterable[str]) -> dict[str, str]:
    """Return the addresses by model name, from texts such as ``MODEL=URL``.

    Raises:
        ValueError: a text has another form.

    """
    pairs = [text.partition("=")[::2] for text in texts]
    for model, url in pairs:
        if not model or not is_base_address(url):
            raise ValueError(
                f"explain_by: expected MODEL=URL such as a-model=http://127.0.0.1:8080, not {model}={url}"
            )
    return dict(pairs)


def _error(status: int, reason: str) -> web.Response:
    return _json({"error": reason}, status)


def _json(document: Any, status: int = 200) -> web.Response:
    return json_answer(document, status=status, headers={"Cache-Control": "no-store"})
