"""The server's composition root: settings to objects to ``ModelServer.start()``.

kserve parses ``sys.argv`` when it is imported, so it is imported inside :func:`serve` only, with no arguments.
"""

import asyncio
import gc
import logging
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvloop
from prometheus_client import REGISTRY

from event_platform.wikis import WikiTable, WikiTableError
from model_server.logs import configure_logging
from model_server.metrics import Metrics
from model_server.settings import DEFAULT_USER_AGENT, Settings, SettingsError, read_settings
from model_server.startup import check_ports, check_stream, check_tls, find_model
from revert_risk.artifact import ArtifactError
from revert_risk.prediction import Classifier

logger = logging.getLogger("model_server")
EXIT_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h: starting again with the same configuration will not help."""


def main(**overrides: Any) -> int:
    """Serve until a signal ends it; return the exit status.

    ``overrides`` are settings by their field name, which win over the environment.
    """
    # Until the listener takes signals itself, one simply ends the program.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        settings = read_settings(**overrides)
        configure_logging(settings.log_format, settings.log_level)
        serve(settings)
    except SettingsError as exc:
        sys.stderr.write(f"revertrisk serve: {exc}\n")
        return EXIT_CONFIGURATION
    return 0


def serve(settings: Settings) -> None:
    """Build the server and run it.

    Raises :class:`SettingsError` before it listens.
    """
    model_source = find_model(settings)
    try:
        wikis = WikiTable.load(settings.wikis_file)
    except WikiTableError as exc:
        raise SettingsError(f"WIKIS_FILE: {exc}") from None
    check_tls(settings)
    check_ports(settings)
    asyncio.run(check_stream(settings))
    classifier = _load_classifier(settings, model_source.path)
    if classifier.name != settings.model_name:
        raise SettingsError(f"MODEL_NAME: the model in {model_source.path} is {classifier.name}")
    if settings.wiki_url is None and settings.user_agent == DEFAULT_USER_AGENT:
        logger.warning(
            "USER_AGENT is the default: name yourself and a contact before asking Wikimedia's wikis"
        )
    if not settings.emits:
        logger.warning("No EVENTGATE_URL: this server scores only, and emits nothing")

    sys.argv = sys.argv[:1]
    from model_server import rest  # noqa: PLC0415
    from model_server.deployment import Deployment  # noqa: PLC0415
    from model_server.model import RevertRiskModel  # noqa: PLC0415
    from model_server.repository import SealedRepository  # noqa: PLC0415
    from model_server.signals import SignalledModelServer  # noqa: PLC0415

    metrics = Metrics(REGISTRY)
    metrics.model_info.labels(classifier.name, classifier.version, model_source.source).set(1)
    deployment = Deployment(settings, classifier, wikis, metrics)
    model = RevertRiskModel(settings.model_name, deployment)
    model.load()
    rest.install()
    # Modules and the model stay to the end: the collector need not look through them again and again. Its
    # thresholds stay as they are, since failing requests leave cycles that should not pile up.
    gc.collect()
    gc.freeze()
    # kserve ignores its own event-loop option with one worker; the policy and a fresh loop are what it takes.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.set_event_loop(asyncio.new_event_loop())
    logger.info("Starting revertrisk-events %s", version("revertrisk-events"))
    SignalledModelServer(
        deployment.lifecycle,
        http_port=settings.http_port,
        grpc_port=settings.grpc_port,
        workers=1,
        registered_models=SealedRepository(deployment.lifecycle),
        enable_grpc=settings.enable_grpc,
        enable_latency_logging=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        grace_period=settings.shutdown_grace_seconds,
    ).start([model])


def _load_classifier(settings: Settings, path: Path) -> Classifier:
    # torch takes seconds to import: a setting that cannot work is refused before.
    from revert_risk.classifier import TorchClassifier, choose_device, limit_threads  # noqa: PLC0415

    limit_threads(settings.torch_threads)
    try:
        device = choose_device(settings.device)
    except ValueError as exc:
        raise SettingsError(f"DEVICE: {exc}") from None
    if device == "cpu" and settings.device == "auto":
        logger.warning("CUDA is not available: using the CPU")
    try:
        return TorchClassifier.load(path, device)
    except ArtifactError as exc:
        raise SettingsError(f"MODEL_PATH: {exc}") from None


if __name__ == "__main__":
    sys.exit(main())
