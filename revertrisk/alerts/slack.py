"""Sends a message to a Slack webhook, by Slack's own client and with its own retries."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from slack_sdk.errors import SlackRequestError
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.webhook.async_client import AsyncWebhookClient

from revertrisk.alerts.ways import SendError
from revertrisk.alerts.wording import in_words

TIMEOUT_S: Final = 30
_TRIES: Final = 3


class SlackWay:
    """One webhook."""

    name = "slack"

    def __init__(self, url: str) -> None:
        """Take the webhook's address."""
        self._client = AsyncWebhookClient(
            url,
            timeout=TIMEOUT_S,
            retry_handlers=[
                AsyncRateLimitErrorRetryHandler(max_retry_count=_TRIES),
                AsyncServerErrorRetryHandler(max_retry_count=_TRIES),
                AsyncConnectionErrorRetryHandler(max_retry_count=_TRIES),
            ],
        )

    async def send(self, document: Mapping[str, Any]) -> None:
        """Send one message; raises SendError where Slack does not take it."""
        try:
            # Links are not unfurled: a page's preview is a wiki's text, and may be what is to be hidden.
            answer = await self._client.send(
                text=_escaped(in_words(document)), unfurl_links=False, unfurl_media=False
            )
        except (OSError, TimeoutError, SlackRequestError) as exc:
            raise SendError(f"Slack could not be reached ({type(exc).__name__})") from exc
        except Exception as exc:
            if type(exc).__module__.partition(".")[0] != "aiohttp":
                raise
            raise SendError(f"Slack could not be reached ({type(exc).__name__})") from exc
        if answer.status_code != HTTPStatus.OK:
            raise SendError(f"Slack answered with status {answer.status_code}", status=answer.status_code)

    async def close(self) -> None:
        """Do nothing: each message has its own connection."""


def _escaped(text: str) -> str:
    """Return a text as Slack shows it: titles may hold the signs of its links and mentions."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
