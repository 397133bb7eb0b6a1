"""Our REST layer: KServe's server with a raw ``:predict`` route, and the same form of body for every failure.

:func:`install` replaces the class that KServe's single- and multi-process servers look up by
:class:`RevertRiskRESTServer`. That, and the same for gRPC in `grpc_server.py`, are the only patches of KServe;
`kserve_server.py` only subclasses. The raw route saves four fifths of the framework's CPU time per request. It still
runs the KServe model, so KServe's own ``request_preprocess_seconds`` and similar metrics keep their meaning.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager, closing
from functools import partial
from importlib.resources import files
from typing import Any

import fastapi
import kserve.model_server
import kserve.protocol.rest.multiprocess.server
import kserve.protocol.rest.server
import yaml
from fastapi.responses import JSONResponse
from kserve.errors import InvalidInput, ModelNotFound, ModelNotReady
from kserve.model_repository import ModelRepository
from starlette.exceptions import HTTPException
from starlette.routing import Match

from model_server.accounting import RequestAccount
from model_server.errors import (
    InvalidJsonError,
    MethodNotAllowedError,
    ModelNotFoundError,
    NotReadyError,
    RouteNotFoundError,
    ServiceError,
    failure_answer,
)
from model_server.explaining import ExplainHandler
from model_server.kserve_shell import tensors
from model_server.kserve_shell.connections import (
    REFUSAL,
    BoundedProtocol,
    ConnectionLimits,
    FullServer,
    max_connections,
)
from model_server.kserve_shell.kserve_server import ONE_MODEL, DrainingServer
from model_server.kserve_shell.merged_metrics import merged_metrics
from model_server.kserve_shell.model import StartingModel
from model_server.kserve_shell.predict_route import (
    ClientGoneError,
    PredictRoute,
    read_body,
    request_id_of,
    send_json,
)
from model_server.server_context import ServerContext
from revertrisk.event_platform.streams import ABOUT_PATH

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

VERB_PATH = re.compile(r"/v1/models/([^/]+):(predict|explain)")
READINESS_PATH = re.compile(r"/v2/health/ready|/v1/models/[^/:]+|/v2/models/[^/]+/ready")
OPENAPI_PATH = "/openapi.json"
READ_METHODS = ("GET", "HEAD")
CLOSED_PATH = re.compile(r"/v2/repository/.*|/v2/models/[^/]+/versions/.*")
"""Loading and unloading of models, and versions. After an unload every later event would get a final 404."""


class RevertRiskApp:
    """The ASGI application: it answers predict and explain directly, and passes the rest to KServe's FastAPI app."""

    def __init__(
        self, app: fastapi.FastAPI, verbs: Mapping[str, PredictRoute], context: ServerContext
    ) -> None:
        self._app = app
        self._verbs = verbs
        self._lifecycle = context.lifecycle
        self._context = context
        self._documents = {
            ABOUT_PATH: context.about(),
            OPENAPI_PATH: yaml.safe_load(files("model_server").joinpath("openapi.yaml").read_bytes()),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the application's lifespan."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._lifecycle.draining:
            send = _closing(send)
        if REFUSAL in scope:
            await self._refuse(scope[REFUSAL], scope, send)
            return
        path = scope["path"]
        call = VERB_PATH.fullmatch(path)
        if call is not None:
            await self._verbs[call[2]](call[1], scope, receive, send)
            return
        # HEAD is answered like GET; uvicorn has its own scope and leaves out the body.
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        scope["headers"] = _with_request_id(scope)
        if self._lifecycle.draining and READINESS_PATH.fullmatch(path):
            await _fail(NotReadyError("the server is shutting down"), scope, send)
        elif path in self._documents:
            await self._send_document(self._documents[path], scope, send)
        elif CLOSED_PATH.fullmatch(path):
            await _fail(RouteNotFoundError(f"{ONE_MODEL}, without other versions"), scope, send)
        else:
            await self._pass_on(scope, receive, send)

    async def _send_document(self, document: Mapping[str, Any], scope: Scope, send: Send) -> None:
        if scope["method"] == "GET":
            await send_json(send, 200, document, {})
        else:
            await _fail(MethodNotAllowedError(READ_METHODS), scope, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let KServe's application answer, with our limits.

        A body is read only if a route accepts it. Meanwhile the request holds a place, as a prediction does.
        """
        if scope["method"] != "POST" or not self._takes(scope):
            await self._app(scope, _again(b"", receive), send)
            return
        context = self._context
        deadline = asyncio.get_running_loop().time() + context.request_deadline
        with context.admission.body() as held:
            try:
                with (
                    context.admission.request()
                ):  # only for the reading: our model takes a place of its own later
                    body = await read_body(scope, receive, held, context.max_body_bytes, deadline)
                    scope["headers"], body = tensors.read_body(scope["headers"], body)
            except ClientGoneError:
                return
            except ServiceError as error:
                await self._refuse(error, scope, send)
                return
            await self._app(scope, _again(body, receive), send)

    def _takes(self, scope: Scope) -> bool:
        """Return whether one of KServe's routes accepts the request's path and method."""
        return any(route.matches(scope)[0] is Match.FULL for route in self._app.router.routes)

    async def _refuse(self, error: ServiceError, scope: Scope, send: Send) -> None:
        """Answer with a failure, which is counted and logged like that of a prediction."""
        with RequestAccount(self._context.metrics, request_id_of(scope)) as account:
            answer = account.answer_of(error)
        await send_json(
            send, answer.status, answer.body, {"x-request-id": account.request_id} | answer.headers
        )


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that first returns a body that was already read, and then further messages."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> MutableMapping[str, Any]:
        return messages.pop() if messages else await receive()

    return receive_again


def _with_request_id(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return the headers with exactly one request id: the caller's, or a new one if that is not valid."""
    others = [(name, value) for name, value in scope["headers"] if name != b"x-request-id"]
    return [*others, (b"x-request-id", request_id_of(scope).encode())]


def _closing(send: Send) -> Send:
    """Return a ``send`` that adds ``Connection: close``, since this process will soon close its connections."""

    async def closing_send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        await send(message)

    return closing_send


async def _fail(error: ServiceError, scope: Scope, send: Send) -> None:
    answer = failure_answer(error, request_id_of(scope))
    await send_json(send, answer.status, answer.body, answer.headers)


class RevertRiskRESTServer(kserve.protocol.rest.server.RESTServer):  # type: ignore[misc]  # kserve ships no types
    """KServe's REST server with our application around KServe's."""

    def create_application(self) -> None:
        """Build KServe's application and wrap it."""
        super().create_application()
        app: fastapi.FastAPI = kserve.model_server.app
        registry = self.dataplane.model_registry
        (starting,) = registry.get_models().values()
        context = starting.context
        self._server = DrainingServer(self.config, context.lifecycle, shares_port=context.has_siblings)
        self.config.host = context.http_host
        limits = ConnectionLimits(
            head_bytes=context.max_head_bytes,
            head_s=context.request_deadline,
            connections=max_connections(),
        )
        self.config.http = partial(BoundedProtocol, limits=limits, full=FullServer(context.metrics))
        # With WebSockets on, uvicorn never answers one that no route serves, and it cuts the shutdown short.
        self.config.ws = "none"
        self.config.server_header = False  # it is not needed, and uvicorn validates it for each answer
        self.config.proxy_headers = False  # the client's address is not used
        _silence_access_log()
        app.router.redirect_slashes = False
        verbs: dict[str, PredictRoute] = {}
        app.router.lifespan_context = _lifespan(starting, registry, verbs)
        self.config.app = RevertRiskApp(app, verbs, context)

    def _register_endpoints(self, app: fastapi.FastAPI) -> None:
        """Register KServe's routes; with several workers our ``/metrics`` comes first: KServe's is of one process."""
        (starting,) = self.dataplane.model_registry.get_models().values()
        if starting.context.has_siblings:
            app.add_api_route("/metrics", merged_metrics)
        super()._register_endpoints(app)

    def _add_middlewares(self, app: fastapi.FastAPI) -> None:
        """Add no middleware: KServe's measures and logs every request a second time."""

    def _add_exception_handlers(self, app: fastapi.FastAPI) -> None:
        """Give failures of KServe's own routes the same form of body."""
        app.add_exception_handler(ModelNotFound, _on_model_not_found)
        app.add_exception_handler(ModelNotReady, _on_model_not_ready)
        app.add_exception_handler(InvalidInput, _on_invalid_request)
        app.add_exception_handler(HTTPException, _on_http_exception)
        app.add_exception_handler(fastapi.exceptions.RequestValidationError, _on_invalid_request)
        app.add_exception_handler(ServiceError, _on_service_error)
        app.add_exception_handler(Exception, _on_bug)


def _silence_access_log() -> None:
    """Remove uvicorn's access log: it formats access lines even when no handler is attached."""
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False


def _lifespan(
    starting: StartingModel, registry: ModelRepository, verbs: dict[str, PredictRoute]
) -> Callable[[fastapi.FastAPI], Any]:
    """Return a lifespan that builds the model and its routes before the server listens."""
    context = starting.context

    @asynccontextmanager
    async def lifespan(_: fastapi.FastAPI) -> AsyncIterator[None]:
        async with context.open_resources() as resources:
            model = starting.build(context, resources)
            registry.update(model)
            explaining = ExplainHandler(
                context.model_name, context.explainer, resources.requests, context.pipeline(resources)
            )
            with closing(explaining):
                verbs["predict"] = PredictRoute(model, context)
                verbs["explain"] = PredictRoute(explaining, context)
                context.lifecycle.begin()
                yield

    return lifespan


def _answer(error: ServiceError, request: fastapi.Request) -> JSONResponse:
    answer = failure_answer(error, request_id_of(request.scope))
    return JSONResponse(answer.body, answer.status, answer.headers)


async def _on_model_not_found(request: fastapi.Request, _: Exception) -> JSONResponse:
    return _answer(ModelNotFoundError("this server serves another model"), request)


async def _on_model_not_ready(request: fastapi.Request, _: Exception) -> JSONResponse:
    return _answer(NotReadyError("the model is not loaded"), request)


async def _on_http_exception(request: fastapi.Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for this class
    kinds: dict[int, ServiceError] = {
        404: RouteNotFoundError("there is nothing at this path"),
        405: MethodNotAllowedError(_allowed(error)),
    }
    return _answer(kinds.get(error.status_code, InvalidJsonError("the body could not be read")), request)


def _allowed(error: HTTPException) -> tuple[str, ...]:
    """Return the methods of one of KServe's routes, from Starlette's answer; our application adds HEAD."""
    methods = (error.headers or {}).get("Allow", "").split(", ")
    return READ_METHODS if "GET" in methods else tuple(methods)


async def _on_invalid_request(request: fastapi.Request, _: Exception) -> JSONResponse:
    return _answer(InvalidJsonError("the body is not what this route takes"), request)


async def _on_service_error(request: fastapi.Request, error: Exception) -> JSONResponse:
    return _answer(error if isinstance(error, ServiceError) else ServiceError("internal error"), request)


async def _on_bug(request: fastapi.Request, _: Exception) -> JSONResponse:
    return _answer(ServiceError("internal error"), request)


def install() -> None:
    """Replace KServe's REST server class by ours, where KServe's model server and multi-process server look it up."""
    kserve.model_server.RESTServer = RevertRiskRESTServer
    kserve.protocol.rest.multiprocess.server.RESTServer = RevertRiskRESTServer
