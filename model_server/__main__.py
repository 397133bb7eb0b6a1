"""The server's composition root: reads the settings, builds the objects and calls ``ModelServer.start()``.

kserve parses ``sys.argv`` when it is imported. So only :func:`serve` imports it, after removing the arguments.
"""

import asyncio
import logging
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY

from model_server.kserve_shell.workers import Workers, shared_listener
from model_server.metrics import ServerMetrics
from model_server.settings import (
    DEFAULT_USER_AGENT,
    ServerSettingsError,
    Settings,
    read_settings,
    removed_settings,
)
from model_server.startup import (
    ModelSource,
    check_pickle,
    check_ports,
    check_stream,
    check_tls,
    find_model,
    load_pickle,
)
from revertrisk.runtime.logs import configure_logging
from revertrisk.runtime.metrics_folder import metrics_folder_problem
from revertrisk.runtime.signals import handle_signals
from revertrisk.scoring import probe
from revertrisk.scoring.artifact import ArtifactError
from revertrisk.scoring.official import pickle_at
from revertrisk.scoring.prediction import Classifier
from revertrisk.wiki.table import WikiTable, WikiTableError

logger = logging.getLogger("model_server")
EXIT_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h: a restart with the same configuration fails again."""


def main(**overrides: Any) -> int:
    """Serve until a signal; return the exit status.

    ``overrides`` are settings by field name, which override the environment.
    """
    _end_on_signal()
    try:
        settings = read_settings(**overrides)
        _configure_logging(settings)
        source = check(settings)
        logger.info("Starting revertrisk-events %s", version("revertrisk-events"))
        if settings.workers == 1:
            serve(settings, source)
            return 0
        with shared_listener(settings.http_host, settings.http_port) as reserved:
            port = reserved.getsockname()[1]
            workers = Workers(work, settings.model_copy(update={"http_port": port}), source)
            return workers.run(settings.workers)
    except ServerSettingsError as exc:
        sys.stderr.write(f"revertrisk serve: {exc}\n")
        return EXIT_CONFIGURATION


def work(settings: Settings, source: ModelSource) -> int:
    """Serve as one of several workers, in a separate process; return the exit status."""
    _end_on_signal()
    _configure_logging(settings)
    try:
        serve(settings, source)
    except ServerSettingsError as exc:
        sys.stderr.write(f"revertrisk serve: {exc}\n")
        return EXIT_CONFIGURATION
    return 0


def _configure_logging(settings: Settings) -> None:
    configure_logging(settings.log_format, settings.log_level, sys.stdout, hides_arguments=True)


def _end_on_signal() -> None:
    """Let a signal end the program at once, until the listener handles signals: no request is in flight yet.

    A handler that raises an exception is not used: during torch's import, that code swallows the exception, and the
    signal is lost, or it aborts. The default action is not used either: a container's first process ignores it.
    """
    handle_signals(lambda: os._exit(0))


def check(settings: Settings) -> ModelSource:
    """Check everything that can be checked without loading the model; return where the model is.

    Raises:
        ServerSettingsError: a setting is missing or wrong; the message names its variable.

    """
    problem = metrics_folder_problem()
    if problem is not None:
        raise ServerSettingsError(problem)
    source = find_model(settings)
    check_pickle(settings, source.path)
    try:
        WikiTable.load(settings.wikis_file)
    except WikiTableError as exc:
        raise ServerSettingsError(f"WIKIS_FILE: {exc}") from None
    check_tls(settings)
    check_ports(settings)
    asyncio.run(check_stream(settings))
    for sentence in removed_settings(os.environ):
        logger.warning(sentence)
    if settings.wiki_url is None and settings.user_agent == DEFAULT_USER_AGENT:
        logger.warning(
            "USER_AGENT is the default: set your name and a contact before you send requests to Wikimedia's wikis"
        )
    if not settings.emits:
        logger.warning("No EVENTGATE_URL: this server scores only, and emits nothing")
    return source


def serve(settings: Settings, source: ModelSource) -> None:
    """Load the model, build the server and run it.

    Raises:
        ServerSettingsError: the model cannot be served; the server does not listen yet.

    """
    classifier = _load_classifier(settings, source.path)
    try:
        probe.check(classifier)
    except probe.UnusableModelError as exc:
        raise ServerSettingsError(f"MODEL_PATH: {source.path}: {exc}") from exc
    if classifier.name != settings.model_name:
        raise ServerSettingsError(f"MODEL_NAME: the model in {source.path} is {classifier.name}")

    sys.argv = sys.argv[:1]
    from model_server.kserve_shell.serving import run_server  # noqa: PLC0415
    from model_server.server_context import ServerContext  # noqa: PLC0415

    metrics = ServerMetrics(REGISTRY)
    metrics.model_info.labels(classifier.name, classifier.version, source.source).set(1)
    context = ServerContext(settings, classifier, WikiTable.load(settings.wikis_file), metrics)
    run_server(context, settings)


def _load_classifier(settings: Settings, path: Path) -> Classifier:
    # torch takes seconds to import, so invalid settings are refused before.
    from revertrisk.scoring.classifier import TorchClassifier, choose_device, limit_threads  # noqa: PLC0415

    limit_threads(settings.torch_threads)
    pickle = pickle_at(path)
    if pickle is not None:
        return load_pickle(settings, pickle)
    try:
        device = choose_device(settings.device)
    except ValueError as exc:
        raise ServerSettingsError(f"DEVICE: {exc}") from None
    if device == "cpu" and settings.device == "auto":
        logger.warning("CUDA is not available: using the CPU")
    try:
        return TorchClassifier.load(path, device)
    except ArtifactError as exc:
        raise ServerSettingsError(f"MODEL_PATH: {exc}") from None


if __name__ == "__main__":
    sys.exit(main())
