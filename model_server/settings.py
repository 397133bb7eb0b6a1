"""All environment variables that the server reads."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, FilePath, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from revertrisk.event_platform.page_change import MAX_REVISION_BYTES
from revertrisk.runtime.addresses import is_base_address
from revertrisk.runtime.headers import user_agent
from revertrisk.runtime.validation import explain
from revertrisk.wiki.revision_facts import PUBLIC_CONNECTIONS

DEFAULT_USER_AGENT = user_agent("revertrisk-events")
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
LENIENT_STREAM_SUFFIXES = (".rc0", ".dev")
DATACENTRE_PREFIX = re.compile(r"^(eqiad|codfw)\.")
MODEL_MOUNT = Path("/mnt/models")
REMOVED_SETTINGS: Mapping[str, str] = {
    "EVENTGATE_BATCH_MAX": "each prediction is sent alone",
    "REVISION_CACHE_BYTES": "no text is kept between requests",
    "WIKI_LIMIT": "one wiki's share follows from QUEUE_LIMIT",
}
"""Variables of earlier versions that are no longer read, each with the present behaviour."""


class ServerSettingsError(ValueError):
    """A variable has an invalid value, so the server cannot start; the message names it."""


def _http_url(value: str) -> str:
    if not is_base_address(value):
        raise ValueError(
            "expected a URL of http or https, in visible ASCII characters, without a user, a query and a fragment"
        )
    return value.rstrip("/")


def _base_url(value: str) -> str:
    url = _http_url(value)
    if urlsplit(url).path:
        raise ValueError("expected http://host:port: the path /w/api.php is added to it")
    return url


def _port(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(("tcp://", "udp://")):
        raise ValueError(
            "expected a port number, not the address of a Service, which Kubernetes puts into the variable where one "
            "is named http or grpc: set enableServiceLinks: false in the pod"
        )
    return value


Url = Annotated[str, BeforeValidator(_http_url)]
BaseUrl = Annotated[str, BeforeValidator(_base_url)]
Port = Annotated[int, BeforeValidator(_port), Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class Settings(BaseSettings):
    """The server's settings; each field is the environment variable of the same name in capitals.

    An empty value means unset.
    """

    model_config = SettingsConfigDict(
        env_ignore_empty=True, frozen=True, extra="ignore", protected_namespaces=(), case_sensitive=False
    )

    model_name: str = Field("revertrisk-language-agnostic", pattern=r"^[!-~]+$")
    model_path: Path | None = None
    storage_uri: str | None = None
    allow_pickle: bool = False
    model_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    supported_wikis: str | None = None

    wiki_url: BaseUrl | None = None
    force_http: bool = False
    wikis_file: Path | None = None
    aiohttp_client_timeout: Seconds = 5.0
    tls_ca_bundle: FilePath | None = None
    user_agent: str = Field(DEFAULT_USER_AGENT, pattern=r"^[\x20-\x7e]+$")

    eventgate_url: Url | None = None
    eventgate_stream: str | None = Field(None, pattern=r"^[A-Za-z0-9_.-]{1,249}$")
    lenient_events: bool = False
    verify_event: Literal["strict", "warn"] | None = None
    allow_revision_json_input: bool = False

    request_deadline: Seconds = 20.0
    max_head_bytes: int = Field(65_536, ge=1024, le=2**20)
    max_body_bytes: int = Field(10_000_000, gt=0)
    max_revision_bytes: int = Field(MAX_REVISION_BYTES, gt=0)
    queue_limit: int = Field(200, gt=0)
    batch_limit: int = Field(64, gt=0)

    device: Literal["auto", "cpu", "cuda"] = "auto"
    torch_threads: int = Field(1, gt=0, le=1024)

    http_host: str = Field("0.0.0.0", pattern=r"^[A-Za-z0-9_.:%-]+$")  # noqa: S104 - a server in a container listens on all its interfaces
    http_port: Port = 8080
    grpc_port: Port = 8081
    enable_grpc: bool = True
    workers: int = Field(1, gt=0, le=64)
    # Longer than the 90 s of Knative's queue-proxy: if the server closes first, a request in transit is lost.
    keep_alive_seconds: int = Field(120, gt=0, le=7200)
    shutdown_delay_seconds: float = Field(5.0, ge=0, le=3600, allow_inf_nan=False)
    shutdown_grace_seconds: int = Field(30, ge=0)

    log_format: Literal["auto", "ecs", "text"] = "auto"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def emits(self) -> bool:
        """True for a producer, False for a server that only scores."""
        return self.eventgate_url is not None

    def supports(self, wiki_id: str) -> bool:
        """Return whether ``SUPPORTED_WIKIS`` names a wiki; ``*`` names all."""
        named = {name.strip() for name in (self.supported_wikis or "").split(",")}
        return "*" in named or wiki_id in named

    @property
    def verifies_strictly(self) -> bool:
        """Whether an event that the API contradicts is refused; by default it is on producers that are not lenient."""
        if self.verify_event is not None:
            return self.verify_event == "strict"
        return self.emits and not self.lenient_events

    @model_validator(mode="after")
    def _check_workers(self) -> Self:
        if self.workers > PUBLIC_CONNECTIONS and self.wiki_url is None:
            raise ValueError(
                f"WORKERS: at most {PUBLIC_CONNECTIONS} without WIKI_URL: that many connections at a time a public "
                "wiki allows one client"
            )
        if self.workers > 1 and self.enable_grpc and self.grpc_port == 0:
            raise ValueError(
                "GRPC_PORT: name a port for several workers to share, or set ENABLE_GRPC to false"
            )
        return self

    @model_validator(mode="after")
    def _check_lenient(self) -> Self:
        if self.lenient_events and self.verify_event == "strict":
            raise ValueError(
                "VERIFY_EVENT: strict has no meaning with LENIENT_EVENTS, which takes the API's facts"
            )
        return self

    @model_validator(mode="after")
    def _check_eventgate(self) -> Self:
        if (self.eventgate_url is None) != (self.eventgate_stream is None):
            raise ValueError("EVENTGATE_URL and EVENTGATE_STREAM: set both, or neither to score only")
        stream = self.eventgate_stream
        if stream is None or self.eventgate_url is None:
            return self
        if DATACENTRE_PREFIX.match(stream):
            bare = DATACENTRE_PREFIX.sub("", stream)
            raise ValueError(
                f"EVENTGATE_STREAM: name the stream, not the topic: EventGate adds the datacentre, use {bare}"
            )
        if self.lenient_events and not (
            urlsplit(self.eventgate_url).hostname in LOOPBACK_HOSTS
            or stream.endswith(LENIENT_STREAM_SUFFIXES)
        ):
            raise ValueError(
                "LENIENT_EVENTS: only with an EVENTGATE_URL on this machine, "
                "or a stream that ends in .rc0 or .dev"
            )
        return self


def read_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment; ``overrides`` replace it.

    Raises:
        ServerSettingsError: variables are wrong; the message names each, and what was expected.

    """
    try:
        return Settings(**overrides)
    except ValidationError as exc:
        raise ServerSettingsError("\n".join(map(_with_variable, explain(exc)))) from None


def removed_settings(environment: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable that is set but no longer read."""
    given = {name.upper() for name, value in environment.items() if value}
    return [
        f"{name} is set but no longer read: {instead}"
        for name, instead in REMOVED_SETTINGS.items()
        if name in given
    ]


def _with_variable(line: str) -> str:
    """Return a line with the variable in place of its field; a line about several variables names them itself."""
    field, colon, problem = line.partition(": ")
    return f"{field.upper()}{colon}{problem}" if field in Settings.model_fields else line
