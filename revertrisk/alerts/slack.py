"""Sends messages to a Slack webhook with slack_sdk and its retries."""

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

from revertrisk.alerts.receivers import SendError
from revertrisk.alerts.wording import in_words

TIMEOUT_S: Final = 30
_RETRIES: Final = 3


class SlackWebhook:
    """A Slack webhook."""

    name = "slack"

    def __init__(self, url: str) -> None:
        """Take the address of the webhook."""
        self._client = AsyncWebhookClient(
            url,
            timeout=TIMEOUT_S,
            retry_handlers=[
                AsyncRateLimitErrorRetryHandler(max_retry_count=_RETRIES),
                AsyncServerErrorRetryHandler(max_retry_count=_RETRIES),
                AsyncConnectionErrorRetryHandler(max_retry_count=_RETRIES),
            ],
        )

    async def send(self, document: Mapping[str, Any]) -> None:
        """Send one message; raises SendError if Slack does not accept it."""
        try:
            # Links are not unfurled: the preview of a page could show vandalism or text that is to be hidden.
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
        """Do nothing: each message has a connection of its own."""


def _escaped(text: str) -> str:
    """Escape the characters of Slack's links and mentions, which can be in titles."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
