"""Request headers as text, whatever bytes a client sends."""

from aiohttp import web


def header_text(request: web.Request, name: str) -> str:
    """Return a header, empty if it is absent; bytes that are not UTF-8 become U+FFFD, which pages can show."""
    return request.headers.get(name, "").encode(errors="surrogateescape").decode(errors="replace")
