"""From a model and what it is deployed with to a process that serves."""

import asyncio
import gc

import kserve
import uvloop

from model_server.deployment import Deployment
from model_server.kserve_shell import rest
from model_server.kserve_shell.repository import SealedRepository
from model_server.kserve_shell.signals import SignalledModelServer
from model_server.memory import keep_freed_memory
from model_server.settings import Settings

GC_THRESHOLDS = (10_000, 20, 100)
"""Seldom: a request leaves no cycles behind, a failed one neither, and looking for them costs a tenth of its time."""


def run_server(model: kserve.Model, deployment: Deployment, settings: Settings) -> None:
    """Load a model and serve it until a signal ends it."""
    keep_freed_memory()
    model.load()
    rest.install()
    # Modules and the model stay to the end: the collector need not look through them again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    # kserve ignores its own event-loop option with one worker; the policy and a fresh loop are what it takes.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.set_event_loop(asyncio.new_event_loop())
    SignalledModelServer(
        deployment.lifecycle,
        http_port=settings.http_port,
        grpc_port=settings.grpc_port,
        workers=1,  # KServe's own count: several of ours are several of these (workers.py)
        registered_models=SealedRepository(deployment.lifecycle),
        enable_grpc=settings.enable_grpc,
        enable_latency_logging=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        grace_period=settings.shutdown_grace_seconds,
    ).start([model])
