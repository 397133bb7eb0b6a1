"""Request headers as text, whatever bytes a client sends."""

from collections.abc import Mapping


def header_text(headers: Mapping[str, str], name: str) -> str | None:
    """Return one of aiohttp's headers, None if it is absent; bytes that are not UTF-8 become U+FFFD.

    aiohttp keeps such bytes as lone surrogates, which neither JSON nor a page can carry.
    """
    value = headers.get(name)
    return None if value is None else value.encode(errors="surrogateescape").decode(errors="replace")
