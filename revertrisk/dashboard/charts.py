"""``/charts`` and ``/charts/NAME``: results of queries of the lake, each with its SQL.

One thread executes all queries, one at a time. A result is reused for `FRESH_S` seconds by all readers with the same
filters.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from time import monotonic
from typing import Any, Final, TypeVar

from aiohttp import hdrs, web

from revertrisk.dashboard.estimates import (
    TooManyEditsError,
    has_statistics,
    min_pages,
    outcomes_so_far,
    with_intervals,
)
from revertrisk.dashboard.queries import (
    BIN_MINUTES,
    CHARTS,
    OUTCOMES,
    Choice,
    ChoiceError,
    chart_sql,
    choices_sql,
    read_choice,
)
from revertrisk.dashboard.surges import Surges, SurgesError
from revertrisk.dashboard.thresholds import Thresholds
from revertrisk.lake import LakeConfigurationError, LakeError, Reader
from revertrisk.runtime.instants import iso_z
from revertrisk.runtime.web_server import json_answer
from revertrisk.wiki.table import WikiTable

log = logging.getLogger(__name__)

FRESH_S: Final = 15.0
"""For how long a result is reused; the lake itself gets new rows once a minute."""
MAX_KEPT: Final = 200
"""Results that are kept."""
WITH_SURGES: Final = "edits"
WITH_INTERVALS: Final = "at_risk"
MAX_WAITING: Final = 20
"""Queries that wait for the thread; for one more the answer is 503."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Choices:
    """The filter values that the lake has, its watermark, and the time of its newest edit."""

    wikis: list[str]
    models: list[str]
    watermark: datetime | None
    newest: datetime | None


class Charts:
    """The handlers of both routes; ``root`` is the lake's folder or address, None without a lake."""

    def __init__(self, root: str | None, thresholds: Thresholds, wikis: WikiTable, surges: Surges) -> None:
        self._root = root
        self._surges = surges
        self._thresholds = thresholds
        self._wikis = wikis
        self._names = [*CHARTS, *([OUTCOMES] if has_statistics() else [])]
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lake")
        self._reader: Reader | None = None
        self._refreshed = 0.0
        self._answers: dict[Hashable, tuple[float, asyncio.Future[Any]]] = {}
        self._waiting = 0

    async def open(self, _app: web.Application) -> AsyncIterator[None]:
        """Close the lake when the application ends."""
        yield
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        if self._reader is not None:
            self._reader.close()

    async def choices(self, _request: web.Request) -> web.Response:
        """Return the names of the charts and the filter values; no charts without a lake."""
        if self._root is None:
            return _answer({"charts": []})
        try:
            found = await self._choices()
        except LakeError as exc:
            return _refusal(exc)
        return _answer(
            {
                "charts": self._names,
                "wikis": found.wikis,
                "models": found.models,
                "as_of": None if found.watermark is None else iso_z(found.watermark),
            }
        )

    async def chart(self, request: web.Request) -> web.Response:
        """Return columns, rows and SQL of a chart for ``?wiki=&model=&user=&hours=``."""
        name = request.match_info["name"]
        if self._root is None or name not in self._names:
            raise web.HTTPNotFound
        try:
            found = await self._choices()
            choice = read_choice(request.query, next(iter(found.models), ""))
            newest = found.newest
            if newest is None:
                return _answer({"columns": [], "rows": [], "sql": "", "languages": {}})
            answer = await self._ask(
                (name, choice, newest), lambda reader: self._chart(reader, name, choice, newest)
            )
        except (ChoiceError, TooManyEditsError) as exc:
            return _answer({"error": str(exc)}, 400)
        except LakeError as exc:
            return _refusal(exc)
        return _answer(answer)

    def _chart(self, reader: Reader, name: str, choice: Choice, newest: datetime) -> dict[str, Any]:
        if name == OUTCOMES:
            columns, rows, text = outcomes_so_far(reader, choice, self._thresholds, newest)
        else:
            text = chart_sql(name, choice, self._thresholds, newest, min_pages=min_pages())
            columns, rows = _rows(reader, text)
            if name == WITH_INTERVALS and OUTCOMES in self._names:
                columns, rows = with_intervals(columns, rows)
        return {
            "columns": columns,
            "rows": rows,
            "sql": text,
            "bin_s": BIN_MINUTES[choice.hours] * 60,
            "since": (newest - timedelta(hours=choice.hours)).timestamp(),
            "until": newest.timestamp(),
            "surges": self._surges_of(choice, newest) if name == WITH_SURGES else [],
            "usual": self._usual(choice, rows) if name == WITH_SURGES else [],
            "languages": self._languages(columns, rows),
        }

    def _surges_of(self, choice: Choice, newest: datetime) -> list[dict[str, Any]]:
        since = newest - timedelta(hours=choice.hours)
        return [surge.as_json() for surge in self._surges.between(choice.wiki, since, newest)]

    def _usual(self, choice: Choice, rows: list[list[Any]]) -> list[list[float]]:
        """Return the usual values from the first bin to the last. They exist only for all users together."""
        if not rows or choice.user is not None:
            return []
        minutes = BIN_MINUTES[choice.hours]
        first, last = (datetime.fromtimestamp(row[0], UTC) for row in (rows[0], rows[-1]))
        bins = (last - first) // timedelta(minutes=minutes) + 1
        try:
            return self._surges.usual(choice.wiki, first, minutes, bins)
        except SurgesError as exc:
            log.warning("%s", exc)
            return []

    async def _choices(self) -> Choices:
        return await self._ask(Choices, _read_choices)

    async def _ask(self, key: Hashable, work: Callable[[Reader], T]) -> T:
        """Return the result of ``work``, at most `FRESH_S` seconds old.

        Raises:
            LakeError: the lake cannot be read, or too many queries wait.

        """
        now = monotonic()
        kept = self._answers.get(key)
        if kept is None or now - kept[0] > FRESH_S:
            if self._waiting >= MAX_WAITING:
                raise LakeError("too many queries wait for the lake; try again")
            self._answers = {each: it for each, it in self._answers.items() if now - it[0] <= FRESH_S}
            while len(self._answers) >= MAX_KEPT:
                del self._answers[next(iter(self._answers))]
            kept = now, asyncio.ensure_future(self._in_thread(work))
            self._answers[key] = kept
        # Without the shield, a client that disconnects would cancel the query for the other clients that wait for it.
        answer: T = await asyncio.shield(kept[1])
        return answer

    async def _in_thread(self, work: Callable[[Reader], T]) -> T:
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, work)
        finally:
            self._waiting -= 1

    def _work(self, work: Callable[[Reader], T]) -> T:
        assert self._root is not None  # noqa: S101 - both handlers check it
        if self._reader is None:
            self._reader = Reader(self._root)
            self._refreshed = monotonic()
        elif monotonic() - self._refreshed > FRESH_S:
            self._reader.refresh()
            self._refreshed = monotonic()
        return work(self._reader)

    def _languages(self, columns: list[str], rows: list[list[Any]]) -> Mapping[str, str]:
        """Return the language code of each wiki in the rows."""
        if "wiki_id" not in columns:
            return {}
        place = columns.index("wiki_id")
        found = (self._wikis.by_id(row[place]) for row in rows)
        return {wiki.wiki_id: wiki.language for wiki in found if wiki is not None}


def check_lake(root: str) -> None:
    """Check that the lake can be opened; raises LakeError."""
    with closing(Reader(root)):
        pass


def _read_choices(reader: Reader) -> Choices:
    wikis, models, watermark, newest = reader.query(choices_sql()).fetchall()[0]
    return Choices(wikis or [], models or [], watermark, newest)


def _rows(reader: Reader, text: str) -> tuple[list[str], list[list[Any]]]:
    cursor = reader.query(text)
    columns = [column[0] for column in cursor.description or ()]
    return columns, [[_plain(value) for value in row] for row in cursor.fetchall()]


def _plain(value: Any) -> Any:
    """Return a value for JSON; times in seconds since 1970."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    return value


def _answer(document: Any, status: int = 200) -> web.Response:
    return json_answer(document, status=status, headers={hdrs.CACHE_CONTROL: "no-store"})


def _refusal(problem: LakeError) -> web.Response:
    """Answer 503. The error itself names folders of this machine, so it is only logged."""
    log.warning("the lake cannot be read: %s", problem)
    is_missing = isinstance(problem, LakeConfigurationError)
    return _answer({"error": "the lake does not exist yet" if is_missing else "the lake cannot be read"}, 503)
