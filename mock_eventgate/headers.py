"""Request headers as text, whatever bytes a client sends."""

from aiohttp import web


def header_text(request: web.Request, name: str) -> str | None:
    """Return a header, None if it is absent; bytes that are not UTF-8 become U+FFFD, which JSON can carry."""
    value = request.headers.get(name)
    return None if value is None else value.encode(errors="surrogateescape").decode(errors="replace")
