"""The receivers of messages: a Slack webhook, webhooks that accept JSON, and standard output."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import aiohttp
import orjson

from revertrisk.alerts.errors import AlertsConfigurationError
from revertrisk.alerts.wording import in_words
from revertrisk.runtime.addresses import is_base_address
from revertrisk.runtime.headers import retry_after_s, user_agent
from revertrisk.runtime.proxies import proxy_of

TIMEOUT_S: Final = 30.0
REFUSALS: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
"""Statuses that concern the message. After any other status (401, 404, 410, 429, 503) it is sent again."""


class SendError(Exception):
    """A message was not delivered; the text has the reason and the host, and no path of the address: it is a secret."""

    def __init__(self, text: str, retry_after_s: float | None = None, status: int | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s
        self.is_final = status in REFUSALS
        """Whether the receiver rejected this message, so that another try cannot succeed."""


class Receiver(Protocol):
    """A receiver of messages."""

    @property
    def name(self) -> str:
        """Its name in the outbox."""
        ...

    async def send(self, document: Mapping[str, Any]) -> None:
        """Send one message; raises SendError if it was not delivered."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...


class JsonWebhook:
    """A webhook that accepts each message as a JSON document; any 2xx answer means that it was delivered."""

    def __init__(self, name: str, url: str) -> None:
        """Take the name in the outbox and the address."""
        self.name = name
        self._url = url
        self._host = urlsplit(url).netloc  # without a user: make_receivers refuses such an address
        self._session: aiohttp.ClientSession | None = None

    async def send(self, document: Mapping[str, Any]) -> None:
        """Send one message; raises SendError if it was not delivered."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"user-agent": user_agent("revertrisk-surge"), "content-type": "application/json"},
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            )
        try:
            async with self._session.post(
                self._url, data=orjson.dumps(document), allow_redirects=False, proxy=proxy_of(self._url)
            ) as answer:
                status = answer.status
                asked = retry_after_s(answer.headers.get("retry-after"), datetime.now(UTC))
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise SendError(
                f"the webhook at {self._host} could not be reached ({type(exc).__name__})"
            ) from exc
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise SendError(f"the webhook at {self._host} answered with status {status}", asked, status)

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()


class StandardOutput:
    """Standard output: messages as text, or as one JSON document per line."""

    name = "stdout"

    def __init__(self, *, as_json: bool) -> None:
        """Take the format."""
        self._as_json = as_json

    async def send(self, document: Mapping[str, Any]) -> None:
        """Write one message."""
        text = orjson.dumps(document).decode() if self._as_json else f"{in_words(document)}\n"
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    async def close(self) -> None:
        """Do nothing."""


def make_receivers(slack: str | None, webhooks: Sequence[str], *, as_json: bool) -> list[Receiver]:
    """Return the receivers of a watch: standard output only if there is no webhook, or with ``as_json``.

    Raises:
        AlertsConfigurationError: an address is invalid; the text does not repeat it, because it is a secret.

    """
    receivers: list[Receiver] = []
    if slack:
        _check("SLACK_WEBHOOK_URL", slack)
        # slack_sdk is imported only if it is used.
        from revertrisk.alerts.slack import SlackWebhook  # noqa: PLC0415

        receivers.append(SlackWebhook(slack))
    for number, url in enumerate(webhooks):
        _check("webhook", url)
        receivers.append(JsonWebhook(f"webhook-{number + 1}" if number else "webhook", url))
    if as_json or not receivers:
        receivers.append(StandardOutput(as_json=as_json))
    return receivers


async def close_receivers(receivers: Sequence[Receiver]) -> None:
    """Close all receivers."""
    async with AsyncExitStack() as stack:
        for receiver in receivers:
            stack.push_async_callback(receiver.close)


def _check(name: str, url: str) -> None:
    if not is_base_address(url):
        raise AlertsConfigurationError(f"{name}: expected an address that begins with http:// or https://")
