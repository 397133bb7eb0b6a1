"""Counts every request exactly once, and writes exactly one log line for it."""

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
"""The form of a request id; any other text is replaced, since the id is sent back and logged."""
CLIENT_GONE = 499

request_logger = logging.getLogger("model_server.request")


class RequestAccount:
    """The outcome of one request, as a context manager that counts and logs it on exit, even after an exception.

    The code that serves the request sets ``outcome``; a failure also sets ``status``. An exception that leaves the
    context without an outcome is counted as a bug.
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
        """Record a failure, and return it."""
        self.answer_of(error)
        return error

    def answer_of(self, error: ServiceError) -> FailureAnswer:
        """Record a failure, and return its answer."""
        answer = failure_answer(error, self.request_id)
        self.outcome, self.status = answer.code, answer.status
        self._error = {"message": str(error)}  # our own text, without input
        if answer.status >= 500 and error.__cause__ is not None:  # noqa: PLR2004 - a 4xx is the caller's error
            self._error |= describe_exception(error.__cause__)
        return answer

    def answer_of_bug(self, error: Exception) -> FailureAnswer:
        """Record an unexpected exception, and return its answer, which contains nothing of it."""
        answer = self.answer_of(ServiceError("internal error"))
        self._error |= describe_exception(error)
        return answer

    def client_gone(self) -> None:
        """Record that the client disconnected."""
        self.outcome, self.status = "client_gone", CLIENT_GONE

    def __enter__(self) -> Self:
        """Return the account."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Count and log the request; an exception without an outcome is a bug, and a cancellation is a shutdown."""
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
    """Return the caller's request id if it is valid, otherwise a new one."""
    return value if value is not None and REQUEST_ID.fullmatch(value) else str(uuid.uuid4())


def _level(status: int) -> int:
    if status < 500:  # noqa: PLR2004 - HTTP
        return logging.INFO
    return logging.ERROR if status == 500 else logging.WARNING  # noqa: PLR2004
