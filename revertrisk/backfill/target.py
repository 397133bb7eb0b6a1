"""Asks a model server which stream it writes to, and refuses any stream that is not for backfills."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import orjson

from revertrisk.event_platform.streams import ABOUT_PATH, BACKFILL_SUFFIX

_TIMEOUT_S: Final = 10.0


class TargetError(Exception):
    """A backfill cannot be sent to a server; the message has the reason."""


class TargetAwayError(TargetError):
    """A server does not answer at present."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """What scores the revisions, a server or the model in this process, and the stream of its predictions."""

    model_name: str
    model_version: str
    stream: str
    wikis: frozenset[str]
    """The wikis that it scores."""
    max_revision_bytes: int

    @property
    def identity(self) -> str:
        """What must stay the same during a backfill."""
        return f"{self.model_name} {self.model_version} on {self.stream}"


async def ask_target(session: aiohttp.ClientSession, target: str) -> Scorer:
    """Return what a server reports at `ABOUT_PATH`.

    Raises:
        TargetAwayError: it does not answer at present.
        TargetError: it does not name its stream, or the name does not end in ``.backfill``.

    """
    try:
        async with session.get(
            target + ABOUT_PATH, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S)
        ) as response:
            status, body = response.status, await response.read()
    except TimeoutError as exc:
        raise TargetAwayError(f"target: {target} did not answer within {_TIMEOUT_S:.0f} s") from exc
    except aiohttp.ClientError as exc:
        raise TargetAwayError(f"target: {target} cannot be reached") from exc
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise TargetAwayError(f"target: {target} answers with status {status}")
    try:
        about = orjson.loads(body) if status == HTTPStatus.OK else None
    except orjson.JSONDecodeError:
        about = None
    return _scorer(target, status, about)


def _scorer(target: str, status: int, about: Any) -> Scorer:
    match about:
        case {
            "model_name": str(name),
            "model_version": str(version),
            "stream": str() | None as stream,
            "wikis": list(wikis),
            "max_revision_bytes": int(max_bytes),
        }:
            pass
        case _:
            raise TargetError(
                f"target: {target}{ABOUT_PATH} does not name a stream (status {status}): a backfill is sent only "
                f"to a revertrisk server whose stream ends in {BACKFILL_SUFFIX}"
            )
    if stream is None:
        raise TargetError(
            f"target: {target} only scores and emits nothing: it requires EVENTGATE_URL, and an EVENTGATE_STREAM "
            f"that ends in {BACKFILL_SUFFIX}; --local scores without a server"
        )
    if not is_backfill(stream):
        raise TargetError(
            f"target: {target} writes to {stream}, which is not a backfill stream: its readers would treat old "
            f"edits as new ones; send to a server whose EVENTGATE_STREAM ends in {BACKFILL_SUFFIX}"
        )
    return Scorer(name, version, stream, frozenset(wikis), max_bytes)


def is_backfill(stream: str) -> bool:
    """Return whether a stream is for backfills."""
    return stream.endswith(BACKFILL_SUFFIX) and stream != BACKFILL_SUFFIX
