"""Parses a batch of events, given as bytes, into rows that are ready to be merged into the tables.

DuckDB reads only the JSON fields that are used. Unreadable events are listed with the reason. User names become actor
keys here, once for each distinct user of the batch; no later step has the names.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

from revertrisk.lake.engine import Connection, Relation, as_file, make_table, make_table_from_columns, quoted
from revertrisk.lake.erasures import ERASED_PAGE, ERASED_REVISION, Erasures
from revertrisk.lake.event_rows import (
    CHANGES,
    DISTINCT,
    EDITED,
    FIELDS,
    MAX_EVENT_BYTES,
    PREDICTIONS,
    UNREADABLE,
    WATERMARK,
    make_events,
)
from revertrisk.lake.key import ActorKeys
from revertrisk.lake.revision_rows import REVISIONS, combined_revisions
from revertrisk.lake.schema import (
    PAGE_EVENT,
    PREDICTION_BACKFILL,
    REVISION,
    Table,
    Type,
)
from revertrisk.wiki.table import WikiTable
from revertrisk.wiki.user_kinds import user_kind

MAX_CLOCK_DIFFERENCE: Final = timedelta(minutes=5)
"""A time that is further ahead of our clock is an error of another clock, and does not move the watermark."""
_DIGITS: Final = re.compile(r"([0-9]+)")


@dataclass(frozen=True, slots=True)
class Staged:
    """The rows of one batch for one table."""

    table: Table
    rows: Relation
    days: tuple[date, ...]
    """The partitions of the rows."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record of a batch that is not a readable event."""

    number: int
    """Its index in the batch, from 0."""
    reason: str
    sha256: str


@dataclass(slots=True)
class StagedBatch:
    """The parsed content of a batch."""

    predictions: list[Staged] = field(default_factory=list)
    revisions: Staged | None = None
    page_events: Staged | None = None
    unreadable: list[Unreadable] = field(default_factory=list)
    canaries: int = 0
    watermark: datetime | None = None
    """The latest meta.dt of page_change events, canaries included."""
    edited: datetime | None = None
    """The median save time of the edits."""


class Stage:
    """Parses batches, one at a time; the rows stay in the engine until the next batch."""

    def __init__(
        self,
        connection: Connection,
        actor_keys: ActorKeys,
        now: Callable[[], datetime],
    ) -> None:
        self._connection = connection
        self._now = now
        wikis = [
            {"wiki_id": each.wiki_id, "domain": each.domain, "is_scorable": each.is_scorable}
            for each in WikiTable.load()
        ]
        columns = {"wiki_id": "VARCHAR", "domain": "VARCHAR", "is_scorable": "BOOLEAN"}
        make_table(connection, "known_wiki", wikis, columns)
        self._actor_keys = actor_keys
        self._columns = "{" + ", ".join(f"{quoted(name)}: {quoted(of)}" for name, of in FIELDS.items()) + "}"

    def parse(
        self, lines: Sequence[bytes], erasures: Erasures, wikis: frozenset[str] | None = None
    ) -> StagedBatch:
        """Parse events, one JSON text each; ``wikis`` are the wikis to accept, None for all."""
        batch = StagedBatch()
        self._read(lines)
        run = self._connection.execute
        ((batch.canaries,),) = run("SELECT count(*) FROM event WHERE what = 'canary'").fetchall()
        ((batch.watermark,),) = run(WATERMARK, [self._now() + MAX_CLOCK_DIFFERENCE]).fetchall()
        for number, reason in run(UNREADABLE).fetchall():
            raw = lines[number]
            batch.unreadable.append(Unreadable(number, reason, hashlib.sha256(raw).hexdigest()))
        if wikis is not None:
            listed = ", ".join(quoted(wiki) for wiki in sorted(wikis))
            run(f'DELETE FROM event WHERE coalesce(wiki_id, "database") NOT IN ({listed})')
        if erasures:
            self._delete_erased(erasures)
        run(PREDICTIONS)
        batch.predictions = list(self._predictions())
        run(CHANGES)
        ((batch.edited,),) = run(EDITED).fetchall()
        self._make_accounts(erasures)
        self._make_erased_titles(erasures)
        run(REVISIONS)
        run(combined_revisions())
        run("DROP TABLE revision_fact")
        batch.revisions = self._staged(REVISION, "revised")
        self._make_reverts()
        batch.page_events = self._page_events()
        # They have the names of users and the titles of their pages, and take most of the memory.
        for each in ("event", "person", "key_of", "account", "erased_title"):
            run(f"DROP TABLE {each}")
        return batch

    def _read(self, lines: Sequence[bytes]) -> None:
        with as_file(_one_to_a_line(lines)) as path:
            source = (
                f"read_json({quoted(path)}, format = 'newline_delimited', ignore_errors = true, "
                f"maximum_object_size = {MAX_EVENT_BYTES + 1}, columns = {self._columns})"
            )
            self._connection.execute(make_events(source))

    def _delete_erased(self, erasures: Erasures) -> None:
        """Delete events of erased pages and revisions."""
        wiki = 'coalesce(wiki_id, "database")'
        for what, number in (
            (ERASED_PAGE, "coalesce(page.page_id, page_id)"),
            (ERASED_REVISION, "coalesce(revision.rev_id, rev_id)"),
        ):
            named = self._connection.execute(
                f"SELECT DISTINCT {wiki}, {number} FROM event WHERE {wiki} IS NOT NULL AND {number} IS NOT NULL"
            ).fetchall()
            erased = [{"wiki": each[0], "number": each[1]} for each in named if erasures.has(what, *each)]
            make_table(self._connection, "erased_number", erased, {"wiki": "VARCHAR", "number": "BIGINT"})
            self._connection.execute(
                f"DELETE FROM event WHERE ({wiki}, {number}) IN (SELECT (wiki, number) FROM erased_number)"
            )

    def _predictions(self) -> Iterator[Staged]:
        versions = self._connection.execute("SELECT DISTINCT model_version FROM predicted").fetchall()
        ranks = [{"model_version": version, "version_rank": version_rank(version)} for (version,) in versions]
        types = {"model_version": "VARCHAR", "version_rank": "VARCHAR"}
        make_table(self._connection, "ranked", ranks, types)
        for table, rows in DISTINCT.items():
            key = ", ".join(table.key)
            columns = ", ".join(table.column_names)
            name = f"new_{table.name}"
            source = "backfill" if table is PREDICTION_BACKFILL else "live"
            self._connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {columns} FROM ("
                f"SELECT *, version_rank || ' {source} ' || page_change_kind AS precedence FROM ("
                f"SELECT DISTINCT ON ({key}) * FROM {rows} ORDER BY {key}, number) JOIN ranked USING (model_version))"
            )
            staged = self._staged(table, name)
            if staged is not None:
                yield staged

    def _make_accounts(self, erasures: Erasures) -> None:
        """Create the table `account`: the author's kind and actor key for each change, computed once for each user."""
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE person AS SELECT row_number() OVER () AS person_id, * FROM ("
            "SELECT DISTINCT wiki_id, author.user_text AS name, author.user_id AS user_id, author.is_temp AS is_temp "
            "FROM change WHERE author IS NOT NULL)"
        )
        # With a tuple for each user, Python's garbage collector took a tenth of a batch.
        lists = ", ".join(
            f"coalesce(list({column}), [])"
            for column in ("person_id", "wiki_id", "name", "user_id", "is_temp")
        )
        ((person_ids, wiki_ids, names, user_ids, are_temporary),) = self._connection.execute(
            f"SELECT {lists} FROM person"
        ).fetchall()
        actor_keys = [
            self._actor_keys.of(wiki_id, name) if name else None
            for wiki_id, name in zip(wiki_ids, names, strict=True)
        ]
        values = {
            "person_id": person_ids,
            "user_kind": [
                user_kind(name, user_id, is_temp=is_temp).value
                for name, user_id, is_temp in zip(names, user_ids, are_temporary, strict=True)
            ],
            "actor_key": actor_keys,
            "erased_at": [erasures.of_actor(actor_key) for actor_key in actor_keys],
        }
        columns = {
            "person_id": "BIGINT",
            "user_kind": "VARCHAR",
            "actor_key": "VARCHAR",
            "erased_at": Type.TIMESTAMP,
        }
        make_table_from_columns(self._connection, "key_of", values, columns)
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE account AS SELECT change.number, key_of.user_kind, key_of.actor_key, "
            "key_of.erased_at FROM change JOIN person ON change.wiki_id = person.wiki_id "
            "AND change.author.user_text IS NOT DISTINCT FROM person.name "
            "AND change.author.user_id IS NOT DISTINCT FROM person.user_id "
            "AND change.author.is_temp IS NOT DISTINCT FROM person.is_temp "
            "JOIN key_of USING (person_id) WHERE change.author IS NOT NULL"
        )

    def _make_erased_titles(self, erasures: Erasures) -> None:
        """Create the table `erased_title`: the titles that contain the name of an erased actor."""
        rows = []
        if erasures:
            for wiki_id, title in self._connection.execute(
                "SELECT DISTINCT wiki_id, page.page_title FROM change WHERE page.page_title IS NOT NULL"
            ).fetchall():
                whole = title.replace("_", " ")
                for name in (whole, whole.partition(":")[2].partition("/")[0]):
                    erased_at = erasures.of_actor(erasures.keys.of(wiki_id, name))
                    if erased_at is not None:
                        rows.append({"wiki": wiki_id, "title": title, "erased_at": erased_at})
        columns = {"wiki": "VARCHAR", "title": "VARCHAR", "erased_at": Type.TIMESTAMP}
        make_table(self._connection, "erased_title", rows, columns)

    def _make_reverts(self) -> None:
        """Create the table `new_revert`, without authors: the writer takes them from `revision`."""
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE new_revert AS SELECT DISTINCT ON (day, wiki_id, changed_id) "
            "day, wiki_id, changed_id AS rev_id, page.page_id AS page_id, revision.revert.method AS method, "
            "revision.revert.is_exact AS is_exact, revision.revert.rev_original_id AS original_id, "
            "revision.revert.rev_reverted_oldest_id AS oldest_id, revision.revert.rev_reverted_newest_id AS newest_id, "
            "rev_at AS dt FROM change WHERE revision.revert IS NOT NULL "
            "ORDER BY day, wiki_id, changed_id, meta_at, meta.id"
        )

    def _page_events(self) -> Staged | None:
        # Deletions have no title, nor have events of an erased actor's pages from before the erasure.
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE new_page_event AS "
            "SELECT DISTINCT ON (wiki_id, page_id, event_dt, rev_id, kind) * FROM ("
            "SELECT CAST(date_trunc('month', happened_at) AS DATE) AS month, wiki_id, page.page_id AS page_id, "
            "happened_at AS event_dt, "
            "changed_id AS rev_id, page_change_kind AS kind, "
            "CASE WHEN page_change_kind <> 'delete' AND (t.erased_at IS NULL OR happened_at > t.erased_at) "
            "THEN page.page_title END AS title, page.namespace_id AS namespace_id, number "
            "FROM change LEFT JOIN erased_title t ON t.wiki = wiki_id AND t.title = page.page_title "
            "WHERE page_change_kind <> 'visibility_change') "
            "ORDER BY wiki_id, page_id, event_dt, rev_id, kind, number"
        )
        return self._staged(PAGE_EVENT, "new_page_event")

    def _staged(self, table: Table, name: str) -> Staged | None:
        days = self._connection.execute(f"SELECT DISTINCT {table.partition} FROM {name}").fetchall()
        if not days:
            return None
        columns = ", ".join(table.column_names)
        relation = self._connection.sql(f"SELECT {columns} FROM {name}")
        return Staged(table, relation, tuple(day for (day,) in days))


def _one_to_a_line(records: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the parts of a file with one record to a line.

    A newline inside a record would split it in two, and the engine skips blank lines. After the first newline, it does
    not take a byte order mark at the beginning of a record for one of the whole.
    """
    for record in records:
        yield b"\n"
        yield record.strip().replace(b"\n", b" ") or b"null"


@lru_cache(maxsize=1000)
def version_rank(version: str) -> str:
    """Return a text that sorts in the order of model versions (``revertrisk.consumer.version_order``).

    Text and numbers alternate. After a text stands a space, which sorts before all characters of versions. Before a
    number stands its length, so that 9 sorts before 10.
    """
    parts = []
    for place, part in enumerate(_DIGITS.split(version)):
        digits = part.lstrip("0")
        parts.append(f"{len(digits):03d}{digits}" if place % 2 else f"{part} ")
    return f"{''.join(parts)} {version}"
