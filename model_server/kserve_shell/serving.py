"""Configures the process (memory, garbage collector, event loop) and runs KServe's server in it."""

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
"""The collector runs rarely. Requests, failed ones included, leave no cycles, and collecting takes a tenth of their
time."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Constants of glibc's malloc.h."""
KEPT_BYTES = 64 * 2**20
"""Freed memory that is kept and not returned to the kernel: several times the memory for a page of 2 MB."""
MAX_IN_HEAP = 32 * 2**20
"""The largest block for which that applies, which is the largest value that glibc allows."""


def run_server(
    context: ServerContext,
    settings: Settings,
    build: Callable[[ServerContext, Resources], kserve.Model] = RevertRiskModel,
) -> None:
    """Serve the model that ``build`` makes in the server's event loop, until a signal."""
    tune_malloc()
    model = StartingModel(context, build)
    model.load()
    rest.install()
    grpc_server.install()
    # Modules and the model are never freed, so the collector need not scan them each time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    # With one worker kserve ignores its own event-loop option, but it uses the policy and the present loop.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.set_event_loop(asyncio.new_event_loop())
    SignalledModelServer(
        context.lifecycle,
        http_port=settings.http_port,
        grpc_port=settings.grpc_port,
        workers=1,  # of KServe's own workers; ours are processes that each run this (workers.py)
        registered_models=SealedRepository(context.lifecycle),
        enable_grpc=settings.enable_grpc,
        enable_latency_logging=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        grace_period=settings.shutdown_grace_seconds,
    ).start([model])


def tune_malloc() -> None:
    """Let glibc's malloc keep more freed memory (mallopt(3)); with another malloc do nothing.

    By default malloc returns the memory of a large page to the kernel as soon as it is freed, and for the next page the
    kernel must clear it again. That is a third of the time for which a large page blocks the event loop.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_M_MMAP_THRESHOLD, MAX_IN_HEAP)
