"""Checks before the server starts: the model, the ports, TLS, and the stream to which it writes."""

import errno
import logging
import socket
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson

from model_server.resources import open_http
from model_server.settings import MODEL_MOUNT, ServerSettingsError, Settings
from revertrisk.event_platform.eventgate import intake_url
from revertrisk.event_platform.streams import PREDICTION_SCHEMA_TITLE
from revertrisk.runtime.http_connection import HttpError
from revertrisk.scoring import artifact, official
from revertrisk.scoring.official import OfficialClassifier, OfficialModelError
from revertrisk.wiki.table import WikiTable

logger = logging.getLogger(__name__)

MAX_CONFIG_BYTES = 2**20
NOT_A_HOST = "expected an address or a host name of this machine"


@dataclass(frozen=True, slots=True)
class ModelSource:
    """The path of the model and its source; ``shipped`` is for trying out, not for production."""

    path: Path
    source: str


def find_model(settings: Settings) -> ModelSource:
    """Find the artefact folder, or the pickle of an official model.

    Raises:
        ServerSettingsError: ``MODEL_PATH``, or the storage that ``STORAGE_URI`` names, has no model.

    """
    if settings.model_path is not None:
        if not settings.model_path.is_dir() and official.pickle_at(settings.model_path) is None:
            raise ServerSettingsError(
                f"MODEL_PATH: {settings.model_path} is neither a folder nor a .pkl file"
            )
        return ModelSource(settings.model_path, "path")
    if MODEL_MOUNT.is_dir() and any(MODEL_MOUNT.iterdir()):
        return ModelSource(MODEL_MOUNT, "storage")
    if settings.storage_uri is not None:
        raise ServerSettingsError(
            f"STORAGE_URI: is set, but {MODEL_MOUNT} holds no model; the shipped one is not used"
        )
    try:
        path = artifact.shipped(settings.model_name)
    except artifact.ArtifactError:
        raise ServerSettingsError("MODEL_NAME: no shipped model has this name, set MODEL_PATH") from None
    logger.warning("No MODEL_PATH: serving the model that is shipped with this distribution")
    return ModelSource(path, "shipped")


def check_pickle(settings: Settings, path: Path) -> None:
    """If the model at a path is a pickle, check that it may be loaded.

    Raises:
        ServerSettingsError: a condition is not met; the message names it.

    """
    file = official.pickle_at(path)
    if file is None:
        return
    if not settings.allow_pickle:
        raise ServerSettingsError(
            f"ALLOW_PICKLE: loading {file} runs code; set ALLOW_PICKLE=true to allow it"
        )
    if settings.model_sha256 is None:
        raise ServerSettingsError(
            f"MODEL_SHA256: expected the digest of {file}, which is not loaded without one"
        )
    if official.sha256_of(file) != settings.model_sha256:
        raise ServerSettingsError(f"MODEL_SHA256: is not the digest of {file}")
    if settings.model_name not in official.MODULES:
        raise ServerSettingsError(f"MODEL_NAME: expected one of {', '.join(official.MODULES)} for {file}")
    if settings.device == "cuda":
        raise ServerSettingsError(f"DEVICE: {file} is served on the CPU; set DEVICE=cpu")
    if not official.is_installed():
        raise ServerSettingsError(
            f"MODEL_PATH: {file} needs the package {official.PACKAGE}, which is not installed"
        )


def load_pickle(settings: Settings, file: Path) -> OfficialClassifier:
    """Load a pickle that was checked.

    Raises:
        ServerSettingsError: it has no model that can be served.

    """
    wikis = WikiTable.load(settings.wikis_file)

    def language_of(wiki_id: str) -> str | None:
        wiki = wikis.by_id(wiki_id)
        return None if wiki is None else wiki.language

    try:
        return OfficialClassifier.load(settings.model_name, file, language_of)
    except OfficialModelError as exc:
        raise ServerSettingsError(f"MODEL_PATH: {file}: {exc}") from exc


def check_ports(settings: Settings) -> None:
    """Check that the listeners' ports are free.

    Raises:
        ServerSettingsError: one is not.

    """
    ports = {"HTTP_PORT": (settings.http_host, settings.http_port)}
    if settings.enable_grpc:
        ports["GRPC_PORT"] = ("", settings.grpc_port)
    for variable, (host, port) in ports.items():
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            socket.create_server((host, port), family=family).close()
        except UnicodeError:
            raise ServerSettingsError(f"HTTP_HOST: {NOT_A_HOST}") from None
        except OSError as exc:
            # create_server turns a resolver's error, whose number is negative, into a plain OSError.
            if exc.errno is not None and (exc.errno < 0 or exc.errno == errno.EADDRNOTAVAIL):
                raise ServerSettingsError(f"HTTP_HOST: {NOT_A_HOST}") from None
            raise ServerSettingsError(f"{variable}: cannot listen on port {port}: {exc.strerror}") from None


def check_tls(settings: Settings) -> None:
    """Check that the CA bundle can be read.

    Raises:
        ServerSettingsError: it cannot.

    """
    try:
        ssl.create_default_context(cafile=settings.tls_ca_bundle)
    except (ssl.SSLError, OSError):
        raise ServerSettingsError("TLS_CA_BUNDLE: expected a file of PEM certificates") from None


async def check_stream(settings: Settings) -> None:
    """Check in EventGate's stream configuration that the stream exists and has our schema.

    If EventGate does not answer, or does not serve its configuration, that is only a warning: the server must be able
    to start before it.

    Raises:
        ServerSettingsError: the stream does not exist, or has another schema.

    """
    stream = settings.eventgate_stream
    if settings.eventgate_url is None or stream is None:
        return
    url = intake_url(settings.eventgate_url).removesuffix("/events") + f"/stream-configs/{stream}"
    async with open_http(settings, 1, MAX_CONFIG_BYTES) as http:
        try:
            configuration = http.endpoint("GET", url, {"User-Agent": settings.user_agent})
            answer = await configuration.send(timeout=settings.aiohttp_client_timeout)
            configs: Any = orjson.loads(answer.body) if answer.status == HTTPStatus.OK else None
        except (HttpError, TimeoutError, orjson.JSONDecodeError):
            configs = None
    if configs is None:
        logger.warning("EventGate did not show its stream configuration: EVENTGATE_STREAM is not checked")
        return
    config = configs.get(stream) if isinstance(configs, dict) else None
    if not isinstance(config, dict):
        raise ServerSettingsError("EVENTGATE_STREAM: EventGate has no stream of this name")
    title = config.get("schema_title")
    if title != PREDICTION_SCHEMA_TITLE:
        raise ServerSettingsError(
            f"EVENTGATE_STREAM: this stream takes schema {title}, and the server sends {PREDICTION_SCHEMA_TITLE}"
        )
