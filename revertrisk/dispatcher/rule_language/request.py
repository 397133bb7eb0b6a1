"""Builds the HTTP request of a rule for one event, with the headers that change-propagation sends."""

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import quote

import orjson
from yarl import URL

from revertrisk.dispatcher.rule_language.templates import (
    Context,
    Reference,
    Template,
    UnexpandableError,
    body_references,
    expand_body,
)
from revertrisk.event_platform.streams import event_meta

_HEADER_SAFE = "".join(map(chr, range(0x21, 0x7F)))
"""All visible ASCII characters; other characters of a URI are percent-encoded in a header."""
REEMIT_HEADER = "x-revertrisk-reemit"
"""With the value 1 the server emits a prediction again, even if it has recorded that it did."""
REQUEST_ID = re.compile(r"[\x21-\x7e]{1,256}")
_ADDRESS = re.compile(r"https?://[^/?#\s]+(?:[/?#][\x21-\x7e]*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Every try sends the same, except that x-triggered-by lists the retries."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None
    request_id: str
    stream: str
    uri: str
    """The event's own address, ``meta.uri``."""

    def asking_to_reemit(self) -> Self:
        """Return the same request, to be answered by an emission and not from the server's record."""
        return replace(self, headers={**self.headers, REEMIT_HEADER: "1"})

    def headers_for(self, retry: int) -> dict[str, str]:
        """Return the headers of the first try (0) or of the n-th retry."""
        trail = f"req:{self.request_id},{self.stream}:{self.uri}"
        trail += f",changeprop.retry.{self.stream}:{self.uri}" * retry
        return {**self.headers, "x-request-id": self.request_id, "x-triggered-by": trail}


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """The ``exec`` of a rule."""

    method: str
    uri: Template
    headers: Mapping[str, Template]
    body: Any
    """A compiled body (:func:`revertrisk.dispatcher.rule_language.templates.compile_body`), or None without a body."""

    @property
    def references(self) -> Iterator[Reference]:
        """All references of the request to the event, the match and the globals."""
        yield from self.uri.references
        for header in self.headers.values():
            yield from header.references
        yield from body_references(self.body)

    def build(self, context: Context, *, topic: str) -> Request:
        """Expand the templates for one event.

        Raises:
            UnexpandableError: the event lacks a field that a template needs.

        """
        url = _url(self.uri.uri(context))
        headers = {}
        for name, template in self.headers.items():
            value = template.text(context)
            if not value.isprintable():
                raise UnexpandableError(f"exec.headers.{name} contains a control character")
            headers[name] = value
        meta = event_meta(context.message)
        return Request(
            method=self.method,
            url=url,
            headers=headers,
            body=_encode(expand_body(self.body, context)),
            request_id=_request_id(meta.get("request_id")),
            stream=_header_safe(meta.get("stream")) or topic,
            uri=_header_safe(meta.get("uri")),
        )


def _url(address: str) -> URL:
    """Return the address unchanged: yarl would otherwise decode the %3A of …%3Apredict to a colon."""
    try:
        url = URL(address, encoded=True)
        usable = _ADDRESS.fullmatch(address) and url.host and url.port
    except ValueError:
        usable = False
    if not usable:
        raise UnexpandableError("exec.uri is not an http address")
    return url


def _request_id(value: Any) -> str:
    return value if isinstance(value, str) and REQUEST_ID.fullmatch(value) else str(uuid.uuid4())


def _header_safe(value: Any) -> str:
    return quote(value, safe=_HEADER_SAFE, errors="replace") if isinstance(value, str) else ""


def _encode(body: Any) -> bytes | None:
    if body is None:
        return None
    return body.encode() if isinstance(body, str) else orjson.dumps(body)
