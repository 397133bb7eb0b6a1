"""The kinds of fault and their fields: the documents of ``/_mock/faults``."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self, TypeAlias, get_args

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from revertrisk.mock_server.faults import MAX_COUNT, BaseFault, Count, FaultReader, Seconds
from revertrisk.wiki.history import Part
from revertrisk.wiki.table import WikiTable

MAX_HEADER_LENGTH: Final = 2000


def _fits_a_header(value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise ValueError("should be printable ASCII, because it is sent in a header")
    return value


_HeaderText = Annotated[
    str, Field(min_length=1, max_length=MAX_HEADER_LENGTH), AfterValidator(_fits_a_header)
]


def _retry_after(value: object) -> object:
    if isinstance(value, str) and 0 < len(value) <= MAX_HEADER_LENGTH:
        return _fits_a_header(value)
    if type(value) is int and 0 <= value <= MAX_COUNT:
        return value
    raise ValueError("expected seconds, or printable ASCII text for a header")


_RetryAfter = Annotated[int | str, PlainValidator(_retry_after)]
"""Seconds, or any text, which is sent unchanged: a date, or an invalid value."""
_RevId = Annotated[int, Field(ge=1, le=2**63 - 1)]


class WikiFault(BaseFault):
    """A fault that applies to every wiki, or to one."""

    wiki_id: str | None = None


class StatusFault(WikiFault):
    """Any HTTP status, with a proxy's HTML page."""

    kind: Literal["status"]
    status: Annotated[int, Field(ge=200, le=599)]
    retry_after: _RetryAfter | None = None


class DelayFault(WikiFault):
    """The correct answer is sent late."""

    kind: Literal["delay"]
    seconds: Seconds


class HangFault(WikiFault):
    """No answer is sent; the connection stays open until the client disconnects or the fault is removed."""

    kind: Literal["hang"]


class CutFault(WikiFault):
    """Half of the correct answer is sent, with the Content-Length of the whole; then the connection is closed."""

    kind: Literal["cut"]


class HtmlFault(WikiFault):
    """200 with an HTML page, as from a captive portal or a maintenance page."""

    kind: Literal["html"]


class NotJsonFault(WikiFault):
    """200 whose Content-Type is JSON and whose body is not."""

    kind: Literal["not_json"]


class RateLimitedFault(WikiFault):
    """429, as the edge of Wikimedia's network answers a client with too many requests."""

    kind: Literal["rate_limited"]
    retry_after: _RetryAfter = 5


class MaxlagFault(WikiFault):
    """The ``maxlag`` error in a 200, with or without that parameter in the request."""

    kind: Literal["maxlag"]
    retry_after: _RetryAfter = 5
    lag: Seconds = 7.5


class ApiErrorFault(WikiFault):
    """Any error of the API in a 200, such as ``readonly``."""

    kind: Literal["api_error"]
    code: _HeaderText
    info: str | None = None


class ResetFault(WikiFault):
    """The connection is reset without an answer."""

    kind: Literal["reset"]


class RedirectFault(WikiFault):
    """A redirect to ``location``."""

    kind: Literal["redirect"]
    location: _HeaderText
    status: Literal[301, 302, 303, 307, 308] = 302


class InvisibleFault(WikiFault):
    """A revision is in ``badrevids`` for its first n ``requests``, or for ``seconds`` from the first request."""

    kind: Literal["invisible"]
    requests: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = None
    seconds: Seconds | None = None
    rev_id: _RevId | None = None

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if (self.requests is None) == (self.seconds is None):
            raise ValueError("requests: expected either requests or seconds")
        return self


class HideFault(WikiFault):
    """After n requests for a revision (``after``), its ``parts`` are hidden permanently."""

    kind: Literal["hide"]
    parts: Annotated[list[Annotated[Part, Field(strict=False)]], Field(min_length=1)]
    after: Count = 1
    rev_id: _RevId | None = None


RevisionFault: TypeAlias = InvisibleFault | HideFault
RequestFault: TypeAlias = (
    StatusFault | DelayFault | HangFault | CutFault | HtmlFault | NotJsonFault | RateLimitedFault | MaxlagFault
    | ApiErrorFault | ResetFault | RedirectFault
)  # fmt: skip

KINDS: Final[Mapping[str, type[RequestFault | RevisionFault]]] = {
    get_args(fault.model_fields["kind"].annotation)[0]: fault
    for fault in (*get_args(RequestFault), *get_args(RevisionFault))
}
"""The class of each ``kind``, in the order of the classes here."""


def fault_reader(wikis: WikiTable) -> FaultReader[RequestFault | RevisionFault]:
    """Return a reader of fault documents; a fault may name the wikis in ``wikis``."""

    def check(fault: RequestFault | RevisionFault) -> str | None:
        if fault.wiki_id is None or wikis.by_id(fault.wiki_id) is not None:
            return None
        return "wiki_id: expected the id of a wiki, such as enwiki"

    return FaultReader(KINDS, check)
