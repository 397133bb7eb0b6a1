"""Every request is counted exactly once, and ends in exactly one log line."""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from model_server.errors import FailureAnswer, NotReadyError, ServiceError, failure_answer
from model_server.metrics import ServerMetrics
from revertrisk.runtime.logs import describe_exception, log_request, start_request

REQUEST_ID = re.compile(r"[\w.:~-]{1,128}", re.ASCII)
"""What a request id may look like; anything else is replaced, since it is echoed and logged."""
CLIENT_GONE = 499

request_logger = logging.getLogger("model_server.request")


class RequestAccount:
    """The account of one request, kept as a context: closed on the way out, whatever happened.

    Whoever serves the request sets ``outcome``, and a failure sets ``status`` as well. An exception that leaves
    the context unaccounted for is counted as a bug.
    """

    def __init__(self, metrics: ServerMetrics, request_id: str) -> None:
        self.request_id = request_id
        self.outcome = "internal_error"
        self.status = 200
        self._metrics = metrics
        self._fields = start_request(request_id)
        self._error: dict[str, str] = {}
        self._started = time.perf_counter()

    @classmethod
    def of_headers(cls, metrics: ServerMetrics, headers: Mapping[str, str]) -> Self:
        """Open the account of a request whose headers are a mapping with names in lower case."""
        return cls(metrics, accept_request_id(headers.get("x-request-id")))

    def failed(self, error: ServiceError) -> ServiceError:
        """Note a failure, and return it."""
        self.answer_of(error)
        return error

    def answer_of(self, error: ServiceError) -> FailureAnswer:
        """Note a failure, and return its answer."""
        answer = failure_answer(error, self.request_id)
        self.outcome, self.status = answer.code, answer.status
        self._error = {"message": str(error)}  # written by us, and free of input
        if answer.status >= 500 and error.__cause__ is not None:  # noqa: PLR2004 - a 4xx is the caller's affair
            self._error |= describe_exception(error.__cause__)
        return answer

    def answer_of_bug(self, error: Exception) -> FailureAnswer:
        """Note an unexpected exception, and return its answer, which says nothing of it."""
        answer = self.answer_of(ServiceError("internal error"))
        self._error |= describe_exception(error)
        return answer

    def client_gone(self) -> None:
        """Note that the client has gone."""
        self.outcome, self.status = "client_gone", CLIENT_GONE

    def __enter__(self) -> Self:
        """Return the account."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Count and log the request; an exception that is not accounted for is a bug, or a shutdown."""
        if isinstance(error, asyncio.CancelledError):
            self.outcome, self.status = NotReadyError.code, NotReadyError.status
        elif error is not None and self.outcome == ServiceError.code:
            self.status = 500
            self._error |= describe_exception(error)
        self._metrics.requests_ended(self.outcome).inc()
        fields = self._fields
        fields["http"]["response"] = {"status_code": self.status}
        fields["event"] = {
            "outcome": "success" if self.status < 400 else "failure",  # noqa: PLR2004 - HTTP
            "duration": int((time.perf_counter() - self._started) * 1e9),
        }
        fields["labels"]["outcome"] = self.outcome
        if self._error:
            fields["error"] = self._error
        log_request(request_logger, _level(self.status), "predict", fields)


def accept_request_id(value: str | None) -> str:
    """Return the caller's id if it is one, else a new one."""
    return value if value is not None and REQUEST_ID.fullmatch(value) else str(uuid.uuid4())


def _level(status: int) -> int:
    if status < 500:  # noqa: PLR2004 - HTTP
        return logging.INFO
    return logging.ERROR if status == 500 else logging.WARNING  # noqa: PLR2004
