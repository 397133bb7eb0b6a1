"""Maps MediaWiki's failures to our errors, without its text, and decides how a failed query is repeated."""

import random

import mwapi.errors

from model_server.errors import MediaWikiUnavailableError
from model_server.mwapi_session import UpstreamError
from revertrisk.runtime.http_connection import ConnectError, ConnectionBrokenError
from revertrisk.runtime.joined_call import Again, RetryPlan
from revertrisk.wiki.revision_facts import BUSY_CODES

RETRY_WAIT_S = (0.1, 0.2)
"""The shortest and longest pause before the second and last try, if MediaWiki sends no Retry-After."""
MAX_RETRY_WAIT_S = 5.0
OF_THE_WIKI = frozenset({"rate_limited", "unreachable", "endless"})
"""Failures that are not caused by a single revision."""


def endless() -> MediaWikiUnavailableError:
    """Return the error for an answer with too many parts."""
    return MediaWikiUnavailableError("the MediaWiki API did not complete its answer", reason="endless")


def unavailable(cause: BaseException | None) -> MediaWikiUnavailableError:
    """Return our error for a failed request, from the cause of mwapi's error."""
    match cause:
        case UpstreamError():
            return MediaWikiUnavailableError(
                f"the MediaWiki API answered with {cause.reason}",
                reason="rate_limited" if cause.reason in ("status_429", "api_error") else "http_error",
                retry_after_s=cause.retry_after_s,
            )
        case mwapi.errors.APIError():  # not even its code is shown, since the other side can write any text there
            is_busy = isinstance(cause.code, str) and cause.code.startswith(BUSY_CODES)
            return MediaWikiUnavailableError(
                "the MediaWiki API answered with an error", reason="rate_limited" if is_busy else "api_error"
            )
        case ConnectError():
            return MediaWikiUnavailableError("the MediaWiki API could not be reached", reason="unreachable")
        case ConnectionBrokenError():
            return MediaWikiUnavailableError(
                "the connection to the MediaWiki API was lost", reason="connection_lost"
            )
    return MediaWikiUnavailableError("the MediaWiki API answered without a result", reason="malformed")


def how_again(error: Exception) -> RetryPlan:
    """Return how a failed query is repeated."""
    if not isinstance(error, MediaWikiUnavailableError):
        return RetryPlan(Again.NOTHING)
    wait = error.retry_after_header
    if wait is None:
        wait = random.uniform(*RETRY_WAIT_S)  # noqa: S311 - it only spreads the tries
    if wait > MAX_RETRY_WAIT_S:  # too long for one request, so the request fails
        return RetryPlan(Again.NOTHING)
    if error.reason in OF_THE_WIKI or error.retry_after_header is not None:
        return RetryPlan(Again.WHOLE, wait)
    return RetryPlan(Again.SINGLES if error.reason == "timeout" else Again.HALVES, wait)
