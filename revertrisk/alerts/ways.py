"""The ways that messages go: a Slack webhook, a webhook that takes JSON, and standard output."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Protocol

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
"""Statuses that are about the message; others (401, 404, 410, 429, 503) are about the webhook and may pass."""


class SendError(Exception):
    """A message was not taken; the text says why, without the address."""

    def __init__(self, text: str, retry_after_s: float | None = None, status: int | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s
        self.is_final = status in REFUSALS
        """The receiver has read this message and does not want it: it will not take it later either."""


class Way(Protocol):
    """Where messages go."""

    @property
    def name(self) -> str:
        """By which its messages stand in the outbox."""
        ...

    async def send(self, document: Mapping[str, Any]) -> None:
        """Send one message; raises SendError where it was not taken."""
        ...

    async def close(self) -> None:
        """Let go of what is open."""
        ...


class JsonWay:
    """A webhook that takes each message as a JSON document; any 2xx answer means that it was taken."""

    def __init__(self, name: str, url: str) -> None:
        """Take the address; the name is the webhook's in the outbox."""
        self.name = name
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def send(self, document: Mapping[str, Any]) -> None:
        """Send one message; raises SendError where it was not taken."""
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
            raise SendError(f"the webhook could not be reached ({type(exc).__name__})") from exc
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise SendError(f"the webhook answered with status {status}", asked, status)

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()


class OutputWay:
    """Standard output: a message's words, or one JSON document a line."""

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


def make_ways(slack: str | None, webhooks: Sequence[str], *, as_json: bool) -> list[Way]:
    """Return the ways of a watch; standard output where there is no webhook, or where JSON is asked for.

    Raises:
        AlertsConfigurationError: an address cannot be used; the text does not repeat it, since it is a secret.

    """
    ways: list[Way] = []
    if slack:
        _check("SLACK_WEBHOOK_URL", slack)
        # The extra is not for everybody.
        from revertrisk.alerts.slack import SlackWay  # noqa: PLC0415

        ways.append(SlackWay(slack))
    for number, url in enumerate(webhooks):
        _check("webhook", url)
        ways.append(JsonWay(f"webhook-{number + 1}" if number else "webhook", url))
    if as_json or not ways:
        ways.append(OutputWay(as_json=as_json))
    return ways


async def close_ways(ways: Sequence[Way]) -> None:
    """Close all ways."""
    async with AsyncExitStack() as stack:
        for way in ways:
            stack.push_async_callback(way.close)


def _check(name: str, url: str) -> None:
    if not is_base_address(url):
        raise AlertsConfigurationError(f"{name}: expected an address that begins with http:// or https://")
