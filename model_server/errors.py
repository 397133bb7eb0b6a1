"""The server's failures, and the function that maps them to HTTP.

The class of an exception has three facts: the HTTP status, a stable ``code``, and whether a retry can help.
change-propagation retries only 502 and 503, so the status is part of the behaviour.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from revertrisk.event_platform.page_change import SkipReason
from revertrisk.event_platform.schemas import Violation


class ServiceError(Exception):
    """A request that ends without a score; the message is sent to the caller and contains nothing of the input."""

    status: int = 500
    code: ClassVar[str] = "internal_error"
    retryable: bool = False

    @property
    def answer_code(self) -> str:
        """The code of the answer."""
        return self.code


class InvalidRequestError(ServiceError):
    """The caller's request is wrong, and a retry cannot help."""

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
    """The request has more revisions than the server accepts."""

    code = "batch_too_large"


class BodyTooLargeError(InvalidRequestError):
    """The body is larger than the server accepts."""

    code = "body_too_large"


class MalformedRequestError(InvalidRequestError):
    """The request is not HTTP/1.1."""

    code = "malformed_request"


class RequestTimeoutError(ServiceError):
    """The head of a request took too long to arrive."""

    status = 408
    code = "request_timeout"


class UnsupportedMediaTypeError(ServiceError):
    """The body has an encoding that the server does not support."""

    status = 415
    code = "unsupported_media_type"


class UriTooLongError(ServiceError):
    """The request line is longer than the server accepts."""

    status = 414
    code = "uri_too_long"


class HeadersTooLargeError(ServiceError):
    """The request line, headers and trailers are larger than the server accepts."""

    status = 431
    code = "headers_too_large"


class RouteNotFoundError(ServiceError):
    """The path has no route."""

    status = 404
    code = "not_found"


class ModelNotFoundError(ServiceError):
    """The server serves a model of another name."""

    status = 404
    code = "model_not_found"


class MethodNotAllowedError(ServiceError):
    """The path does not allow this method."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, allowed: tuple[str, ...]) -> None:
        """Take the allowed methods."""
        super().__init__(f"this path takes {', '.join(allowed)}")
        self.allowed = allowed


class ViolatedContractError(InvalidRequestError):
    """The event or revision_data violates its schema; the body lists every violation."""

    what: ClassVar[str]

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        places = ", ".join(found.pointer or "/" for found in violations)
        super().__init__(f"{self.what}, see {places}")
        self.violations = violations


class InvalidEventError(ViolatedContractError):
    """The event violates the reading contract."""

    code = "invalid_event"
    what = "the event is not a valid page_change event"


class InvalidRevisionDataError(ViolatedContractError):
    """The revision_data lacks a field, or a field has a wrong type."""

    code = "invalid_revision_data"
    what = "revision_data is not valid"


class EventMismatchError(ServiceError):
    """The event and the MediaWiki API disagree on what this revision is (T301878)."""

    status = 409
    code = "event_mismatch"


class UnscorableError(ServiceError):
    """A direct call is for a revision that cannot be scored; an event for it is skipped."""

    status = 422

    def __init__(self, reason: SkipReason) -> None:
        super().__init__(UNSCORABLE_BECAUSE[reason])
        self.reason = reason

    @property
    def answer_code(self) -> str:
        """The skip reason, which is the code of the answer."""
        return self.reason.value


class NothingScoredError(ServiceError):
    """Every item of a batch failed; ``errors`` has the failure of each."""

    code = "nothing_scored"

    def __init__(self, errors: list[dict[str, Any]], *, may_pass: bool, retry_after_s: float = 1.0) -> None:
        super().__init__("none of the revisions could be scored, see errors")
        self.errors = errors
        self.retry_after_s = retry_after_s
        self.status = 503 if may_pass else 422
        self.retryable = may_pass


class UnavailableError(ServiceError):
    """A service that the request needs is not available; the same request can succeed later."""

    status = 503
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotReadyError(UnavailableError):
    """The server is shutting down, or its model is not loaded."""

    code = "not_ready"


class MediaWikiUnavailableError(UnavailableError):
    """The MediaWiki API gave no valid answer; ``reason`` is one of a closed set, for metrics."""

    code = "mediawiki_unavailable"

    def __init__(self, message: str, *, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s=1.0 if retry_after_s is None else retry_after_s)
        self.reason = reason
        self.retry_after_header = retry_after_s
        """MediaWiki's Retry-After in seconds, or None."""


class EventGateUnavailableError(UnavailableError):
    """The prediction could not be produced to its stream."""

    code = "eventgate_unavailable"


class OverloadedError(UnavailableError):
    """More requests wait than the server can serve in time."""

    code = "overloaded"


class EventRejectedError(ServiceError):
    """EventGate refused our event. The cause is a bug or the configuration, and a retry cannot help."""

    code = "event_rejected"


class UnusableScoreError(ServiceError):
    """The model's output is not a probability."""

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
"""A sentence for each reason, for the body of a direct call's 422."""


def every_code() -> frozenset[str]:
    """Return the codes of all failures: a closed set, for metrics and docs."""
    kinds: list[type[ServiceError]] = [ServiceError]
    for kind in kinds:  # the list grows during the loop
        kinds += kind.__subclasses__()
    return frozenset({kind.code for kind in kinds} | set(SkipReason))


@dataclass(frozen=True, slots=True)
class FailureAnswer:
    """A failure as an HTTP answer."""

    status: int
    code: str
    body: dict[str, Any]
    headers: dict[str, str]


def failure_answer(error: ServiceError, request_id: str) -> FailureAnswer:
    """Return the HTTP answer to a failure; all failures have the same form of body."""
    code = error.answer_code
    body: dict[str, Any] = {
        "error": str(error),
        "detail": str(error),  # MediaWiki's ORES extension reads this field
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
