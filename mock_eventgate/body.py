"""Read the events out of a request as EventGate's JSON body parser does, refusals included."""

import codecs
import zlib
from typing import Any, Final

import orjson
from aiohttp import web

_PARSED_TYPES: Final = frozenset({"application/json", "text/plain"})
# Content encodings, and the window bits that make zlib expect their headers.
_ENCODINGS: Final = {"identity": None, "deflate": zlib.MAX_WBITS, "gzip": zlib.MAX_WBITS | 16}
# orjson reads deeper JSON than it writes. A document with at most this many brackets is never too deep to write.
_SAFE_DEPTH: Final = 200


class BodyError(Exception):
    """A body that cannot be parsed. EventGate's answer carries ``title``, and the text as its detail."""

    def __init__(self, title: str, detail: str) -> None:
        super().__init__(detail)
        self.title = title


async def read_json(request: web.Request, max_body: int) -> dict[str, Any] | list[Any]:
    """Return the JSON object or array in a request; ``{}`` if it has no body or one that is not parsed.

    ``max_body`` is in bytes, after decompression. The server must not decompress bodies
    (``auto_decompress=False``): aiohttp answers a broken one with its own page, not EventGate's.

    Raises:
        BodyError: the body is too large, in an unknown charset or encoding, or not JSON.

    """
    if not request.body_exists or request.content_type not in _PARSED_TYPES:
        return {}
    charset = (request.charset or "utf-8").lower()
    if not charset.startswith("utf-") or not _is_known(charset):
        raise BodyError("UnsupportedMediaTypeError", f'unsupported charset "{charset.upper()}"')
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding not in _ENCODINGS:
        raise BodyError("UnsupportedMediaTypeError", f'unsupported content encoding "{encoding}"')
    if encoding == "identity" and (request.content_length or 0) > max_body:
        raise _too_large()
    return _parse(await _read(request, max_body, _ENCODINGS[encoding]), charset)


async def _read(request: web.Request, max_body: int, window_bits: int | None) -> bytes:
    unpack = None if window_bits is None else zlib.decompressobj(window_bits)
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            # At most one byte over the limit is unpacked, however large a small body would become.
            body += chunk if unpack is None else unpack.decompress(chunk, max_body + 1 - len(body))
            if len(body) > max_body:
                raise _too_large()
    except ConnectionError:
        raise BodyError("BadRequestError", "request aborted") from None
    except zlib.error as exc:
        raise BodyError("Error", str(exc).rpartition(": ")[2]) from None
    if unpack is not None and not unpack.eof:
        raise BodyError("Error", "unexpected end of file")
    return bytes(body)


def _parse(body: bytes, charset: str) -> dict[str, Any] | list[Any]:
    if not body:
        return {}
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        # Another charset, a byte order mark, or invalid bytes, which JavaScript reads as U+FFFD.
        document = _parse_text(body.decode(charset, "replace").removeprefix("\ufeff"))
    if not isinstance(document, dict | list):
        raise _syntax_error(body.decode(charset, "replace").lstrip(), 0)
    if body.count(b"{") + body.count(b"[") > _SAFE_DEPTH:
        _refuse_too_deep(document)
    return document


def _parse_text(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise _syntax_error(text, exc.pos) from None
    except UnicodeEncodeError:  # the "utf-" codecs can yield surrogates, which are not text
        raise _syntax_error(text, 0) from None


def _refuse_too_deep(document: Any) -> None:
    try:
        orjson.dumps([[[[document]]]])  # an entry of the answer repeats the event four levels deep
    except orjson.JSONEncodeError:
        raise BodyError("RangeError", "Maximum call stack size exceeded") from None


def _syntax_error(text: str, position: int) -> BodyError:
    if position >= len(text):
        return BodyError("SyntaxError", "Unexpected end of JSON input")
    return BodyError("SyntaxError", f"Unexpected token {text[position]} in JSON at position {position}")


def _too_large() -> BodyError:
    return BodyError("PayloadTooLargeError", "request entity too large")


def _is_known(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name.startswith("utf-")
    except LookupError:
        return False
