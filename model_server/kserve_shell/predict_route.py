"""The raw ``:predict`` route: reads a request from ASGI, calls the KServe model, and sends the answer over ASGI."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import orjson

from model_server.accounting import RequestAccount, accept_request_id
from model_server.admission import HeldBody
from model_server.answers import VerbAnswer, VerbHandler
from model_server.errors import (
    BodyTooLargeError,
    MethodNotAllowedError,
    ModelNotFoundError,
    NotReadyError,
    OverloadedError,
    ServiceError,
    UnsupportedMediaTypeError,
)
from model_server.kserve_shell.connections import REFUSAL
from model_server.kserve_shell.model import REEMIT_HEADER
from model_server.kserve_shell.single_write import BODY_IS_HERE
from model_server.server_context import ServerContext

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


REEMIT = REEMIT_HEADER.encode()
OF_THE_BODY = frozenset({b"content-length", b"content-encoding", b"transfer-encoding"})
"""The headers about the transfer of a body."""
PLAIN = frozenset({b"", b"identity", b"chunked"})
"""The accepted encodings of a body: none, or chunked, which the protocol has already decoded."""


class ClientGoneError(Exception):
    """The caller closed the connection before its request was complete."""


class PredictRoute:
    """Answers ``POST /v1/models/<name>:predict``, or ``:explain`` with another handler."""

    def __init__(self, model: VerbHandler, context: ServerContext) -> None:
        self._model = model
        self._context = context

    async def __call__(self, model_name: str, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, and count and log it."""
        account = RequestAccount(self._context.metrics, request_id_of(scope))
        headers = {"x-request-id": account.request_id}
        with account:
            try:
                answer = await self._predict(model_name, scope, receive, account.request_id)
            except ClientGoneError:
                account.client_gone()
                return
            except asyncio.CancelledError:  # uvicorn cancels when the grace period of a shutdown is over
                failure = account.answer_of(NotReadyError("the server is shutting down"))
            except ServiceError as error:
                failure = account.answer_of(error)
            except Exception as error:  # noqa: BLE001 - a bug is answered by a 500 without details
                failure = account.answer_of_bug(error)
            else:
                account.outcome = answer.outcome
                if answer.for_event:
                    headers["x-revertrisk-outcome"] = answer.outcome
                if answer.repeated:
                    headers["x-revertrisk-repeated"] = "1"
                await send_bytes(send, account.status, answer.body, headers)
                return
            await send_json(send, failure.status, failure.body, headers | failure.headers)

    async def _predict(
        self, model_name: str, scope: Message, receive: Receive, request_id: str
    ) -> VerbAnswer:
        if scope["method"] != "POST":
            raise MethodNotAllowedError(("POST",))
        if model_name != self._model.name:
            raise ModelNotFoundError("this server serves another model")
        deadline = asyncio.get_running_loop().time() + self._context.request_deadline
        admission = self._context.admission
        with admission.request(), admission.body() as held:
            body = await read_body(scope, receive, held, self._context.max_body_bytes, deadline)
            headers = {"x-request-id": request_id} | _own_headers(scope)
            return await self._model.answer(body, deadline, headers)


async def read_body(scope: Message, receive: Receive, held: HeldBody, limit: int, deadline: float) -> bytes:
    """Read a request's body, of at most ``limit`` bytes, before the deadline (event loop time, seconds).

    Raises:
        ClientGoneError: the client closed the connection before the end of the body.
        BodyTooLargeError: it is too large; the rest is not read.
        UnsupportedMediaTypeError: it is compressed; it is not read.
        OverloadedError: it did not arrive in time, or the held bodies are too large; the rest is not read.

    """
    _check_headers(scope, limit)
    if scope.get(BODY_IS_HERE):
        return await _read_all(scope, receive, held, limit)
    try:
        async with asyncio.timeout_at(deadline):
            return await _read_all(scope, receive, held, limit)
    except TimeoutError:
        raise OverloadedError("the body did not arrive in time") from None


async def _read_all(scope: Message, receive: Receive, held: HeldBody, limit: int) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if REFUSAL in scope:  # the data after the head is not HTTP, or is too much
            raise scope[REFUSAL]
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        held.grow(len(chunk), limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _check_headers(scope: Mapping[str, Any], limit: int) -> None:
    """Refuse a body that its headers declare as compressed or too large, before it is read."""
    for name, value in scope["headers"]:
        if name not in OF_THE_BODY:
            continue
        if name == b"content-length":
            if value.isdigit() and int(value[:20]) > limit:
                raise BodyTooLargeError(f"the body must be at most {limit} bytes")
        elif value.strip().lower() not in PLAIN:
            raise UnsupportedMediaTypeError(
                f"{name.decode().title()}: the server accepts only bodies that are neither compressed nor encoded"
            )


def request_id_of(scope: Mapping[str, Any]) -> str:
    """Return the caller's ``X-Request-Id`` if it is valid, otherwise a new id."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return accept_request_id(value.decode("latin-1"))
    return accept_request_id(None)


def _own_headers(scope: Mapping[str, Any]) -> dict[str, str]:
    """Return the request header that the model reads."""
    value = dict(scope["headers"]).get(REEMIT)
    return {} if value is None else {REEMIT_HEADER: value.decode("latin-1")}


async def send_json(send: Send, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    """Send a whole JSON answer."""
    await send_bytes(send, status, orjson.dumps(body), headers)


async def send_bytes(send: Send, status: int, content: bytes, headers: Mapping[str, str]) -> None:
    """Send a whole answer; ``content`` is JSON."""
    raw_headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        *((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": raw_headers})
    await send({"type": "http.response.body", "body": content})
