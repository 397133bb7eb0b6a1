"""The server's composition root: settings to objects to ``ModelServer.start()``.

kserve parses ``sys.argv`` when it is imported, so it is imported inside :func:`serve` only, with no arguments.
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
"""EX_CONFIG of sysexits.h: starting again with the same configuration will not help."""


def main(**overrides: Any) -> int:
    """Serve until a signal ends it; return the exit status.

    ``overrides`` are settings by their field name, which win over the environment.
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
    """Serve as one worker of several, in a process of its own; return the exit status."""
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
    """Until the listener takes signals itself, let one end the program at once: there is nothing to finish yet.

    An exception would come up wherever the main thread is. Amid torch's import, that code swallows it (and the
    signal is lost) or aborts. The default action would not do either: a container's first process ignores it.
    """
    handle_signals(lambda: os._exit(0))


def check(settings: Settings) -> ModelSource:
    """See that everything is there that can be seen without loading the model; return where the model is.

    Raises:
        ServerSettingsError: something is missing or wrong; the message names its variable.

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
            "USER_AGENT is the default: name yourself and a contact before asking Wikimedia's wikis"
        )
    if not settings.emits:
        logger.warning("No EVENTGATE_URL: this server scores only, and emits nothing")
    return source


def serve(settings: Settings, source: ModelSource) -> None:
    """Load the model, build the server and run it.

    Raises:
        ServerSettingsError: the model cannot be served; nothing listens yet.

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
    # torch takes seconds to import: a setting that cannot work is refused before.
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
