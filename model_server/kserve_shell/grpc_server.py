"""KServe's gRPC server with the standard health service, and without loading and unloading of models.

The health service (``grpc.health.v1``, for Kubernetes' probes and proxies) and readiness have the same state as
``/v2/health/ready``. A service cannot be added to KServe's own server, so the server is created here.
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
"""The service names in health requests."""


class OneModelServicer(InferenceServicer):  # type: ignore[misc]  # kserve ships no types
    """KServe's service, for one model."""

    def __init__(self, data_plane: Any, repository: Any, lifecycle: Lifecycle) -> None:
        super().__init__(data_plane, repository)
        self._lifecycle = lifecycle

    async def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's names
        """Return whether the server accepts new requests."""
        return pb.ServerReadyResponse(ready=self._lifecycle.is_serving)

    async def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return whether the model accepts new requests; another model is not found."""
        answer = await super().ModelReady(request, context)
        return pb.ModelReadyResponse(ready=answer.ready and self._lifecycle.is_serving)

    async def RepositoryModelLoad(self, request: Any, context: Any) -> None:  # noqa: N802
        """Refuse: the server loads its model at the start."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, ONE_MODEL)

    async def RepositoryModelUnload(self, request: Any, context: Any) -> None:  # noqa: N802
        """Refuse: an unload would turn every later event into a final 404."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, ONE_MODEL)


class HealthServicer(health.aio.HealthServicer):  # type: ignore[misc]  # grpc ships no types
    """The standard health service; open Watch calls do not delay the end of the server."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        super().__init__()
        self._lifecycle = lifecycle
        self._watching: set[asyncio.Task[Any]] = set()

    async def publish(self) -> None:
        """Set whether the server accepts new requests, and send that to open Watch calls."""
        status = health_pb2.HealthCheckResponse
        for service in SERVICES:
            await self.set(service, status.SERVING if self._lifecycle.is_serving else status.NOT_SERVING)

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802
        """Send the state, and send it again whenever it changes."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        self._watching.add(task)
        try:
            await super().Watch(request, context)
        except asyncio.CancelledError:
            if task in self._watching:  # the client cancelled, not `end_watching`
                raise
        finally:
            self._watching.discard(task)

    def end_watching(self) -> None:
        """Cancel the open Watch calls: the server's stop would otherwise wait for them until its timeout."""
        while self._watching:
            self._watching.pop().cancel()


class Interceptor(ExceptionToStatusInterceptor):  # type: ignore[misc]  # kserve ships no types
    """KServe's interceptor, which makes a status from an exception; it sets no second status for an aborted call."""

    async def handle_exception(
        self, ex: Exception, request_or_iterator: Any, context: Any, method: str
    ) -> None:
        """Set the status of a failed call."""
        if isinstance(ex, grpc.aio.AbortError):
            raise ex
        await super().handle_exception(ex, request_or_iterator, context, method)


class HealthyGRPCServer(GRPCServer):  # type: ignore[misc]  # kserve ships no types
    """KServe's gRPC server with these services."""

    async def start(self, max_workers: int) -> None:
        """Serve until :meth:`stop`, as KServe's own server does."""
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
        await self._health.publish()
        lifecycle.watch(self._health.publish)
        await self._server.start()
        await self._server.wait_for_termination()

    async def stop(self, sig: int | None = None) -> None:
        """Accept no new calls, and wait for those in flight."""
        if self._server is not None:
            self._health.end_watching()
            await super().stop(sig)


def install() -> None:
    """Replace KServe's gRPC server class by ours, where KServe's model server looks it up."""
    kserve.model_server.GRPCServer = HealthyGRPCServer
