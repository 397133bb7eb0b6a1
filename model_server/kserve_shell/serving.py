"""From a model and what it is deployed with to a process that serves."""

import asyncio
import ctypes
import gc
from collections.abc import Callable

import kserve
import uvloop

from model_server.kserve_shell import grpc_server, rest
from model_server.kserve_shell.kserve_server import SealedRepository, SignalledModelServer
from model_server.kserve_shell.model import RevertRiskModel, StartingModel
from model_server.resources import Resources
from model_server.server_context import ServerContext
from model_server.settings import Settings

GC_THRESHOLDS = (10_000, 20, 100)
"""Seldom: a request leaves no cycles behind, a failed one neither, and looking for them costs a tenth of its time."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Names in glibc's malloc.h."""
KEPT_BYTES = 64 * 2**20
"""Freed memory that is not given back to the kernel at once: several times what a page of 2 MB takes."""
MAX_IN_HEAP = 32 * 2**20
"""The largest block that is kept so (and the largest that glibc allows here)."""


def run_server(
    context: ServerContext,
    settings: Settings,
    build: Callable[[ServerContext, Resources], kserve.Model] = RevertRiskModel,
) -> None:
    """Serve the model that ``build`` makes in the running event loop, until a signal ends it."""
    tune_malloc()
    model = StartingModel(context, build)
    model.load()
    rest.install()
    grpc_server.install()
    # Modules and the model stay to the end: the collector need not look through them again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    # kserve ignores its own event-loop option with one worker; the policy and a fresh loop are what it takes.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.set_event_loop(asyncio.new_event_loop())
    SignalledModelServer(
        context.lifecycle,
        http_port=settings.http_port,
        grpc_port=settings.grpc_port,
        workers=1,  # KServe's own count: several of ours are several of these (workers.py)
        registered_models=SealedRepository(context.lifecycle),
        enable_grpc=settings.enable_grpc,
        enable_latency_logging=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        grace_period=settings.shutdown_grace_seconds,
    ).start([model])


def tune_malloc() -> None:
    """Have malloc give less back to the kernel, where it is glibc's (mallopt(3)); elsewhere do nothing.

    By default it returns what a large page has taken as soon as that is freed, and the next page waits for the
    kernel to clear it all again: a third of the time for which a large page holds up the event loop.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_M_MMAP_THRESHOLD, MAX_IN_HEAP)
