"""The raw ``:predict`` route: ASGI in, the KServe model, ASGI out; each request counted and logged once."""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import orjson

from model_server.deployment import Deployment
from model_server.errors import (
    BodyTooLargeError,
    MethodNotAllowedError,
    ModelNotFoundError,
    ServiceError,
    failure_answer,
)
from model_server.logs import describe_exception, start_labels
from model_server.model import Answer, PredictCall, RevertRiskModel

logger = logging.getLogger("model_server.request")

Message = MutableMapping[str, Any]
REQUEST_ID = re.compile(r"[\w.:~-]{1,128}")
"""What a request id may look like; anything else is replaced, since it is echoed and logged."""


class ClientGoneError(Exception):
    """The caller closed the connection before its request was complete."""


class PredictRoute:
    """Answers ``POST /v1/models/<name>:predict``."""

    def __init__(self, model: RevertRiskModel, deployment: Deployment) -> None:
        self._model = model
        self._deployment = deployment

    async def __call__(
        self,
        model_name: str,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Serve one request from its first byte to its log line."""
        started = time.perf_counter()
        request_id = request_id_of(scope)
        labels = start_labels(request_id)
        headers = {"x-request-id": request_id}
        try:
            answer = await self._predict(model_name, scope, receive, request_id)
        except ClientGoneError:
            status, outcome, body = 499, "client_gone", None
        except ServiceError as error:
            failure = failure_answer(error, request_id)
            status, outcome, body = failure.status, failure.code, failure.body
            headers |= failure.headers
            if failure.status >= 500 and error.__cause__ is not None:  # noqa: PLR2004 - what the caller did wrong needs no trace
                labels.update(describe_exception(error.__cause__))
        except Exception as error:  # noqa: BLE001 - the last line of defence: a bug is a 500, and its text stays here
            failure = failure_answer(ServiceError("internal error"), request_id)
            status, outcome, body = failure.status, failure.code, failure.body
            labels.update(describe_exception(error))
        else:
            status, outcome, body = 200, answer.outcome, answer.body
            if answer.for_event:
                headers["x-revertrisk-outcome"] = answer.outcome
        self._deployment.metrics.requests.labels(outcome).inc()
        labels |= {
            "event.outcome": outcome,
            "event.duration": round((time.perf_counter() - started) * 1e9),
            "http.response.status_code": status,
        }
        logger.log(_level(status), "predict", extra=labels)
        if body is not None:
            await send_json(send, status, body, headers)

    async def _predict(
        self, model_name: str, scope: Message, receive: Callable[[], Awaitable[Message]], request_id: str
    ) -> Answer:
        if scope["method"] != "POST":
            raise MethodNotAllowedError("predict takes POST")
        if model_name != self._model.name:
            raise ModelNotFoundError("this server serves another model")
        call = PredictCall(
            body=await self._read_body(receive),
            deadline=asyncio.get_running_loop().time() + self._deployment.request_deadline,
        )
        answer, _ = await self._model(call, headers={"x-request-id": request_id})
        return answer  # type: ignore[no-any-return]  # kserve ships no types

    async def _read_body(self, receive: Callable[[], Awaitable[Message]]) -> bytes:
        limit = self._deployment.max_body_bytes
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise BodyTooLargeError(f"the body must be at most {limit} bytes")
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)


def request_id_of(scope: Mapping[str, Any]) -> str:
    """Return the caller's ``X-Request-Id`` if it is one, else a new id."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            return text if REQUEST_ID.fullmatch(text) else str(uuid.uuid4())
    return str(uuid.uuid4())


async def send_json(
    send: Callable[[Message], Awaitable[None]],
    status: int,
    body: Mapping[str, Any],
    headers: Mapping[str, str],
) -> None:
    """Send a whole JSON answer."""
    content = orjson.dumps(body)
    raw_headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        *((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": raw_headers})
    await send({"type": "http.response.body", "body": content})


def _level(status: int) -> int:
    if status >= 500:  # noqa: PLR2004 - HTTP
        return logging.ERROR if status == 500 else logging.WARNING  # noqa: PLR2004
    return logging.INFO
