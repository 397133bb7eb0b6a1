"""What a fault can be asked to do, and reading a document that asks for it.

A fault says what goes wrong (``kind``), how often (``rate`` with a ``seed``, or for the ``next`` so many, or
always) and, if wanted, on which wiki (``wiki_id``). The classes here are the documents of ``/_mock/faults``,
field by field; what is not as they say is refused with the name of the field.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from revertrisk.wiki.history import Part
from revertrisk.wiki.table import WikiTable

MAX_FAULTS: Final = 100
_MAX_COUNT: Final = 1_000_000_000
_MAX_SECONDS: Final = 3600.0


class FaultError(ValueError):
    """A fault document that cannot be used; the message begins with the field."""


def _fits_a_header(value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise ValueError("should be printable ASCII, as it stands in a header")
    return value


_Count = Annotated[int, Field(ge=0, le=_MAX_COUNT)]
_Seconds = Annotated[float, Field(ge=0, le=_MAX_SECONDS)]
_HeaderText = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_fits_a_header)]
_RetryAfter = _Count | _HeaderText
"""Seconds, or any text, which is sent as it is: a date, or nonsense."""
_RevId = Annotated[int, Field(ge=1, le=2**63 - 1)]


class BaseFault(BaseModel):
    """What every fault has. Without ``rate`` and ``next`` it strikes always."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    next: Annotated[int, Field(ge=1, le=_MAX_COUNT)] | None = None
    seed: _Count = 0
    wiki_id: str | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.next is not None and {"rate", "seed"} & self.model_fields_set:
            raise ValueError("next: expected either next, or rate and seed")
        return self


class StatusFault(BaseFault):
    """Any HTTP status, with a proxy's HTML page."""

    kind: Literal["status"]
    status: Annotated[int, Field(ge=200, le=599)]
    retry_after: _RetryAfter | None = None


class DelayFault(BaseFault):
    """The right answer, late."""

    kind: Literal["delay"]
    seconds: _Seconds


class HangFault(BaseFault):
    """No answer; the connection stays open until the client goes or the fault is lifted."""

    kind: Literal["hang"]


class CutFault(BaseFault):
    """Half of the right answer, under the length of the whole; then the connection ends."""

    kind: Literal["cut"]


class HtmlFault(BaseFault):
    """200 with a web page, as from a captive portal or a maintenance page."""

    kind: Literal["html"]


class NotJsonFault(BaseFault):
    """200 which says that it is JSON, and is none."""

    kind: Literal["not_json"]


class RateLimitedFault(BaseFault):
    """429, as the edge of Wikimedia's network answers a client that asks too much."""

    kind: Literal["rate_limited"]
    retry_after: _RetryAfter = 5


class MaxlagFault(BaseFault):
    """The ``maxlag`` error inside a 200, whether the request had that parameter or not."""

    kind: Literal["maxlag"]
    retry_after: _RetryAfter = 5
    lag: _Seconds = 7.5


class ApiErrorFault(BaseFault):
    """Any error of the API inside a 200, such as ``readonly``."""

    kind: Literal["api_error"]
    code: _HeaderText
    info: str | None = None


class ResetFault(BaseFault):
    """The connection is reset without an answer."""

    kind: Literal["reset"]


class RedirectFault(BaseFault):
    """A redirect, to wherever ``location`` says."""

    kind: Literal["redirect"]
    location: _HeaderText
    status: Literal[301, 302, 303, 307, 308] = 302


class InvisibleFault(BaseFault):
    """A revision is in ``badrevids`` for its first ``requests``, or ``seconds`` from the first one on."""

    kind: Literal["invisible"]
    requests: Annotated[int, Field(ge=1, le=_MAX_COUNT)] | None = None
    seconds: _Seconds | None = None
    rev_id: _RevId | None = None

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if (self.requests is None) == (self.seconds is None):
            raise ValueError("requests: expected either requests or seconds")
        return self


class HideFault(BaseFault):
    """Once ``after`` requests have asked for a revision, the ``parts`` named are hidden for good."""

    kind: Literal["hide"]
    parts: Annotated[list[Annotated[Part, Field(strict=False)]], Field(min_length=1)]
    after: _Count = 1
    rev_id: _RevId | None = None


RevisionFault: TypeAlias = InvisibleFault | HideFault
RequestFault: TypeAlias = (
    StatusFault | DelayFault | HangFault | CutFault | HtmlFault | NotJsonFault | RateLimitedFault | MaxlagFault
    | ApiErrorFault | ResetFault | RedirectFault
)  # fmt: skip
Fault: TypeAlias = Annotated[RequestFault | RevisionFault, Field(discriminator="kind")]

KINDS: Final[tuple[str, ...]] = tuple(
    get_args(fault.model_fields["kind"].annotation)[0]
    for fault in (*get_args(RequestFault), *get_args(RevisionFault))
)
"""Every ``kind``, in the order of the classes here."""

_READER: Final = TypeAdapter[RequestFault | RevisionFault](Fault)


def read_faults(document: Any, wikis: WikiTable) -> list[RequestFault | RevisionFault]:
    """Return the faults that a JSON object describes, or an array of such objects.

    :raises FaultError: if one is not as the classes here say, or names a wiki that ``wikis`` lacks.
    """
    if not isinstance(document, list):
        return [_read(document, wikis, "")]
    if len(document) > MAX_FAULTS:
        raise FaultError(f"body: expected at most {MAX_FAULTS} faults in all")
    return [_read(entry, wikis, f"[{index}]") for index, entry in enumerate(document)]


def _read(document: Any, wikis: WikiTable, where: str) -> RequestFault | RevisionFault:
    prefix = f"{where}." if where else ""
    if not isinstance(document, dict):
        raise FaultError(f'{where or "body"}: expected an object, such as {{"kind": "hang"}}')
    try:
        fault = _READER.validate_python(document)
    except ValidationError as exc:
        # The first problem only, as one field at a time is what a person mends; the input is not quoted.
        error = exc.errors(include_url=False, include_input=False)[0]
        raise FaultError(f"{prefix}{_problem(error['type'], error['loc'], error['msg'])}") from None
    if fault.wiki_id is not None and wikis.by_id(fault.wiki_id) is None:
        raise FaultError(f"{prefix}wiki_id: expected the id of a wiki, such as enwiki")
    return fault


def _problem(kind: str, location: Sequence[int | str], message: str) -> str:
    if kind.startswith("union_tag"):
        return f"kind: expected one of {', '.join(KINDS)}"
    text = message.removeprefix("Value error, ")
    names = [str(step) for step in location[1:]]  # the first is the kind
    return f"{names[0]}: {text[:1].lower()}{text[1:]}" if names else text
