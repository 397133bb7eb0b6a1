"""KServe's gRPC server with the standard health service, and without what a server of one model does not offer.

Health (``grpc.health.v1``, which Kubernetes' probes and proxies ask) and readiness say what ``/v2/health/ready`` says.
KServe's own server takes no further service, so it is started here.
"""

import asyncio
from concurrent import futures
from typing import Any

import grpc
import kserve.model_server
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc
from kserve.protocol.grpc.interceptors import ExceptionToStatusInterceptor
from kserve.protocol.grpc.server import GRPCServer
from kserve.protocol.grpc.servicer import InferenceServicer

from model_server.kserve_shell.kserve_server import ONE_MODEL
from model_server.server_context import Lifecycle

SERVICES = (health.OVERALL_HEALTH, "inference.GRPCInferenceService")
"""By whose names health is asked."""


class OneModelServicer(InferenceServicer):  # type: ignore[misc]  # kserve ships no types
    """KServe's service for the one model that this server has."""

    def __init__(self, data_plane: Any, repository: Any, lifecycle: Lifecycle) -> None:
        super().__init__(data_plane, repository)
        self._lifecycle = lifecycle

    async def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's names
        """Say whether the server wants new work."""
        return pb.ServerReadyResponse(ready=self._lifecycle.is_serving)

    async def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Say whether the model wants new work; one of another name is not found."""
        answer = await super().ModelReady(request, context)
        return pb.ModelReadyResponse(ready=answer.ready and self._lifecycle.is_serving)

    async def RepositoryModelLoad(self, request: Any, context: Any) -> None:  # noqa: N802
        """Refuse."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, ONE_MODEL)

    async def RepositoryModelUnload(self, request: Any, context: Any) -> None:  # noqa: N802
        """Refuse: an unload would turn every later event into a final 404."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, ONE_MODEL)


class HealthServicer(health.aio.HealthServicer):  # type: ignore[misc]  # grpc ships no types
    """The standard health service; whoever watches it does not hold up the end of the server."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        super().__init__()
        self._lifecycle = lifecycle
        self._watching: set[asyncio.Task[Any]] = set()

    async def tell(self) -> None:
        """Say whether the server wants new work, to those who watch as well."""
        status = health_pb2.HealthCheckResponse
        for service in SERVICES:
            await self.set(service, status.SERVING if self._lifecycle.is_serving else status.NOT_SERVING)

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802
        """Say it, and say it again whenever it changes."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in one
        self._watching.add(task)
        try:
            await super().Watch(request, context)
        except asyncio.CancelledError:
            if task in self._watching:  # it is the caller's own
                raise
        finally:
            self._watching.discard(task)

    def end_watching(self) -> None:
        """End the calls of those who watch: the server's own stop would wait for them as long as it may."""
        while self._watching:
            self._watching.pop().cancel()


class Interceptor(ExceptionToStatusInterceptor):  # type: ignore[misc]  # kserve ships no types
    """KServe's, which makes a status of an exception, without its second status for a call that has one."""

    async def handle_exception(
        self, ex: Exception, request_or_iterator: Any, context: Any, method: str
    ) -> None:
        """Say why a call failed."""
        if isinstance(ex, grpc.aio.AbortError):
            raise ex
        await super().handle_exception(ex, request_or_iterator, context, method)


class HealthyGRPCServer(GRPCServer):  # type: ignore[misc]  # kserve ships no types
    """KServe's gRPC server with these services."""

    async def start(self, max_workers: int) -> None:
        """Serve until :meth:`stop`, as KServe's own does."""
        (starting,) = self._data_plane.model_registry.get_models().values()
        lifecycle: Lifecycle = starting.context.lifecycle
        self._health = HealthServicer(lifecycle)
        self._server = grpc.aio.server(
            futures.ThreadPoolExecutor(max_workers=max_workers),
            interceptors=(Interceptor(),),
            options=[
                (f"grpc.{name}", self._kwargs[f"grpc_{name}"])
                for name in ("max_send_message_length", "max_receive_message_length")
            ],
        )
        grpc_predict_v2_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(
            OneModelServicer(self._data_plane, self._model_repository_extension, lifecycle), self._server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_insecure_port(f"[::]:{self._port}")
        await self._health.tell()
        lifecycle.watch(self._health.tell)
        await self._server.start()
        await self._server.wait_for_termination()

    async def stop(self, sig: int | None = None) -> None:
        """Take no new calls, and wait for those in flight."""
        if self._server is not None:
            self._health.end_watching()
            await super().stop(sig)


def install() -> None:
    """Put our gRPC server where KServe's model server looks it up."""
    kserve.model_server.GRPCServer = HealthyGRPCServer
