"""The server's failures, and the one place that maps them to HTTP.

An exception says three things by its class: the HTTP status, a stable ``code``, and whether trying again can
help. change-propagation retries 502 and 503 only, so the status is part of the behaviour.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from revertrisk.event_platform.page_change import SkipReason
from revertrisk.event_platform.schemas import Violation


class ServiceError(Exception):
    """A request that ends without a score; the message is fit for the caller and holds nothing of the input."""

    status: int = 500
    code: ClassVar[str] = "internal_error"
    retryable: bool = False

    @property
    def answer_code(self) -> str:
        """The code of the answer."""
        return self.code


class InvalidRequestError(ServiceError):
    """The caller's request is wrong, and will be wrong again."""

    status = 400
    code = "invalid_request"


class InvalidJsonError(InvalidRequestError):
    """The body is not a JSON object."""

    code = "invalid_json"


class UnsupportedSchemaError(InvalidRequestError):
    """The event is not a page_change event of major version 1."""

    code = "unsupported_schema"


class UnknownWikiError(InvalidRequestError):
    """The wiki is not in the wiki table."""

    code = "unknown_wiki"


class AmbiguousRequestError(InvalidRequestError):
    """The body asks for two things at once."""

    code = "ambiguous_request"


class BatchTooLargeError(InvalidRequestError):
    """More revisions in one request than the server takes."""

    code = "batch_too_large"


class BodyTooLargeError(InvalidRequestError):
    """The body is larger than the server reads."""

    code = "body_too_large"


class MalformedRequestError(InvalidRequestError):
    """What was sent is not HTTP/1.1."""

    code = "malformed_request"


class RequestTimeoutError(ServiceError):
    """The head of a request took too long to arrive."""

    status = 408
    code = "request_timeout"


class UnsupportedMediaTypeError(ServiceError):
    """The body is encoded in a way that the server does not read."""

    status = 415
    code = "unsupported_media_type"


class UriTooLongError(ServiceError):
    """The request line is longer than the server reads."""

    status = 414
    code = "uri_too_long"


class HeadersTooLargeError(ServiceError):
    """Request line, headers and trailers are larger than the server reads."""

    status = 431
    code = "headers_too_large"


class RouteNotFoundError(ServiceError):
    """There is nothing at this path."""

    status = 404
    code = "not_found"


class ModelNotFoundError(ServiceError):
    """The server serves a model of another name."""

    status = 404
    code = "model_not_found"


class MethodNotAllowedError(ServiceError):
    """The path does not take this method."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, allowed: tuple[str, ...]) -> None:
        """Name the methods that it takes."""
        super().__init__(f"this path takes {', '.join(allowed)}")
        self.allowed = allowed


class ViolatedContractError(InvalidRequestError):
    """What was sent breaks its contract; the body lists every violation."""

    what: ClassVar[str]

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        places = ", ".join(found.pointer or "/" for found in violations)
        super().__init__(f"{self.what}, see {places}")
        self.violations = violations


class InvalidEventError(ViolatedContractError):
    """The event breaks the reading contract."""

    code = "invalid_event"
    what = "the event is not a valid page_change event"


class InvalidRevisionDataError(ViolatedContractError):
    """The revision_data lacks something, or has it in a wrong type."""

    code = "invalid_revision_data"
    what = "revision_data is not valid"


class EventMismatchError(ServiceError):
    """The event and the MediaWiki API disagree on what this revision is (T301878)."""

    status = 409
    code = "event_mismatch"


class UnscorableError(ServiceError):
    """A direct call asks for a revision that cannot be scored; an event for it is a skip."""

    status = 422

    def __init__(self, reason: SkipReason) -> None:
        super().__init__(UNSCORABLE_BECAUSE[reason])
        self.reason = reason

    @property
    def answer_code(self) -> str:
        """The skip reason, which is the code of the answer."""
        return self.reason.value


class NothingScoredError(ServiceError):
    """Every item of a batch failed; ``errors`` says how each did."""

    code = "nothing_scored"

    def __init__(self, errors: list[dict[str, Any]], *, may_pass: bool, retry_after_s: float = 1.0) -> None:
        super().__init__("none of the revisions could be scored, see errors")
        self.errors = errors
        self.retry_after_s = retry_after_s
        self.status = 503 if may_pass else 422
        self.retryable = may_pass


class UnavailableError(ServiceError):
    """Something this request needs is away; the same request may succeed later."""

    status = 503
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotReadyError(UnavailableError):
    """The server is shutting down, or its model is not loaded."""

    code = "not_ready"


class MediaWikiUnavailableError(UnavailableError):
    """The MediaWiki API did not answer, or not with an answer; ``reason`` is one of a closed set, for metrics."""

    code = "mediawiki_unavailable"

    def __init__(self, message: str, *, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s=1.0 if retry_after_s is None else retry_after_s)
        self.reason = reason
        self.retry_after_header = retry_after_s
        """What MediaWiki asked for, in seconds; None if it did not."""


class EventGateUnavailableError(UnavailableError):
    """The prediction could not be put on its stream."""

    code = "eventgate_unavailable"


class OverloadedError(UnavailableError):
    """More requests wait than the server can serve in time."""

    code = "overloaded"


class EventRejectedError(ServiceError):
    """EventGate refused our event: our bug or our configuration, and no retry mends it."""

    code = "event_rejected"


class UnusableScoreError(ServiceError):
    """The model gave something that is not a probability."""

    code = "bad_score"


class ModelFailureError(ServiceError):
    """The model failed on this revision."""

    code = "model_failure"


UNSCORABLE_BECAUSE: Mapping[SkipReason, str] = {
    SkipReason.CANARY: "a canary event is not an edit",
    SkipReason.UNKNOWN_WIKI: "the wiki is not in the wiki table",
    SkipReason.NOT_WIKIPEDIA: "the wiki is not an open public Wikipedia",
    SkipReason.UNSUPPORTED_WIKI: "this model was not made for this wiki",
    SkipReason.PAGE_CHANGE_KIND: "this kind of change makes no revision to score",
    SkipReason.NAMESPACE: "the page is not in the main namespace",
    SkipReason.REDIRECT: "the page is a redirect",
    SkipReason.REVISION_HIDDEN: "the text of the revision is hidden",
    SkipReason.REVISION_MISSING: "the wiki has no such revision",
    SkipReason.PAGE_CHANGED: "the revision belongs to another page by now",
    SkipReason.NO_PARENT: "the revision created the page, so there is nothing to compare it with",
    SkipReason.PARENT_MISSING: "the parent revision is missing or belongs to another page",
    SkipReason.PARENT_HIDDEN: "the text of the parent revision is hidden",
    SkipReason.NULL_EDIT: "the revision did not change the text",
    SkipReason.CONTENT_MODEL: "the page is not wikitext",
    SkipReason.TOO_LARGE: "the revision is larger than the server accepts",
}
"""One sentence for each reason, for the body of a direct call's 422."""


def every_code() -> frozenset[str]:
    """Return the code of every failure there can be: a closed set, for metrics and docs."""
    kinds: list[type[ServiceError]] = [ServiceError]
    for kind in kinds:  # grows while it is walked
        kinds += kind.__subclasses__()
    return frozenset({kind.code for kind in kinds} | set(SkipReason))


@dataclass(frozen=True, slots=True)
class FailureAnswer:
    """A failure, ready for HTTP."""

    status: int
    code: str
    body: dict[str, Any]
    headers: dict[str, str]


def failure_answer(error: ServiceError, request_id: str) -> FailureAnswer:
    """Map a failure to its HTTP answer: one body for all of them."""
    code = error.answer_code
    body: dict[str, Any] = {
        "error": str(error),
        "detail": str(error),  # what MediaWiki's ORES extension reads of a refusal
        "code": code,
        "retryable": error.retryable,
        "request_id": request_id,
    }
    headers = {}
    if isinstance(error, ViolatedContractError):
        body["violations"] = [
            {"pointer": found.pointer, "message": found.message} for found in error.violations
        ]
    if isinstance(error, NothingScoredError):
        body["errors"] = error.errors
    if isinstance(error, MethodNotAllowedError):
        headers["allow"] = ", ".join(error.allowed)
    if isinstance(error, UnavailableError | NothingScoredError) and error.retryable:
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after_s)))
    return FailureAnswer(error.status, code, body, headers)
