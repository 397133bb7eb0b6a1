"""Writes batches of events into the tables.

A batch is one commit for each table, or several if it changes many days. The last commit stores the source's place. A
merge adds each row only once, so an interrupted batch can be read again from its source, with the same result as
without the interruption.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from typing import Final

from revertrisk.lake.engine import (
    Connection,
    Relation,
    damage_as_lake_error,
    make_table,
    new_engine,
    quoted,
    table_relation,
)
from revertrisk.lake.erasures import read_erasures
from revertrisk.lake.errors import LakeConfigurationError, LakeError
from revertrisk.lake.id_ranges import IdRanges
from revertrisk.lake.maintenance import make_room
from revertrisk.lake.reverted import STEPS_FOR_BATCH, reverted_change, reverted_rows
from revertrisk.lake.revision_rows import revision_change
from revertrisk.lake.schema import PLACE, REVERT, REVERTED, REVISION, UNREADABLE, Table
from revertrisk.lake.staging import Stage, Staged, StagedBatch
from revertrisk.lake.tables import CONFLICT_RETRIES, Change, Lake, merge

_AUTHOR_OF_REVERT: Final = Change(
    {"actor_key": "s.actor_key", "user_kind": "s.user_kind"},
    "(s.actor_key IS DISTINCT FROM t.actor_key) OR (s.user_kind IS DISTINCT FROM t.user_kind)",
)
_PLACE_MOVES: Final = Change(
    {
        "place": "s.place",
        "updated": "s.updated",
        "edited": "coalesce(s.edited, t.edited)",
        "watermark": "CASE WHEN t.watermark IS NULL OR s.watermark > t.watermark THEN s.watermark ELSE t.watermark END",
    }
)


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """The position of a record in its source."""

    source: str
    """The name of the source and its partition."""
    offset: int


@dataclass(frozen=True, slots=True)
class BrokenRecord:
    """A record that its source could not read as an event."""

    place: RecordPlace
    reason: str
    sha256: str


@dataclass(slots=True)
class Batch:
    """Events that are written together."""

    lines: list[bytes] = field(default_factory=list, repr=False)
    """The events, each as JSON."""
    places: list[RecordPlace] = field(default_factory=list, repr=False)
    """The place of each line."""
    broken: list[BrokenRecord] = field(default_factory=list)
    resume: dict[str, str] = field(default_factory=dict)
    """By source, the place from which it is resumed after this batch."""

    def __len__(self) -> int:
        return len(self.lines) + len(self.broken)


@dataclass(slots=True)
class Written:
    """Counts of what was written, for one or several batches."""

    events: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    """The number of new and changed rows by table."""
    canaries: int = 0
    unreadable: int = 0
    watermark: datetime | None = None
    """The latest meta.dt of page_change events."""

    def add(self, other: "Written") -> None:
        """Add the counts of another batch."""
        self.events += other.events
        self.canaries += other.canaries
        self.unreadable += other.unreadable
        for table, number in other.rows.items():
            self.rows[table] = self.rows.get(table, 0) + number


class LakeWriter:
    """Writes into one lake. Several writers can write into the same lake, in one process or in several."""

    def __init__(
        self,
        lake: Lake,
        *,
        wikis: frozenset[str] | None = None,
        memory_limit: str | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """Take a lake that has its key; ``wikis`` are the wikis to accept, None for all; ``now`` is the clock."""
        if lake.actor_keys is None:
            raise LakeConfigurationError(f"{lake.root}: the lake was opened without its key")
        self._lake = lake
        self._wikis = wikis
        # A batch is small: with two threads it took a quarter more CPU and was not faster.
        self._engine: Connection = new_engine(memory_limit, threads=1)
        self._stage = Stage(self._engine, lake.actor_keys, now or partial(datetime.now, UTC))
        self._id_ranges = IdRanges(self._engine, lake)

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()

    def write(self, batch: Batch) -> Written:
        """Write a batch; when this returns, its rows and its place are in the lake.

        Raises:
            LakeError: the lake cannot be written. The batch can be in some tables; it is safe to repeat it.

        """
        with damage_as_lake_error(self._lake.root):
            return self._write(batch)

    def _write(self, batch: Batch) -> Written:
        make_room(self._lake)
        staged = StagedBatch()
        if batch.lines:
            erasures = read_erasures(self._engine, self._lake)
            staged = self._stage.parse(batch.lines, erasures, self._wikis)
        written = Written(
            len(batch),
            canaries=staged.canaries,
            unreadable=len(staged.unreadable) + len(batch.broken),
            watermark=staged.watermark,
        )
        for predictions in staged.predictions:
            self._merge_new(predictions, written)
        if staged.revisions is not None:
            self._write_changes(staged, staged.revisions, written)
        self._write_unreadable(batch, staged, written)
        self._write_places(batch, staged)
        return written

    def place(self, source: str) -> str | None:
        """Return the place from which a source is resumed, None if it has not been read; raises LakeError."""
        with damage_as_lake_error(self._lake.root):
            places = table_relation(self._engine, self._lake, PLACE)
            rows = places.filter(f"source = {quoted(source)}").project("place").fetchall()
        return str(rows[0][0]) if rows else None

    def _merge_new(self, staged: Staged, written: Written) -> None:
        self._count(staged.table, merge(self._lake, staged.table, staged.rows, staged.days), written)

    def _write_changes(self, staged: StagedBatch, revisions: Staged, written: Written) -> None:
        changed = merge(self._lake, REVISION, revisions.rows, revisions.days, revision_change())
        self._count(REVISION, changed, written)
        if staged.page_events is not None:
            self._merge_new(staged.page_events, written)
        self._write_reverts(revisions, written)
        self._write_reverted(written)

    def _write_reverts(self, revisions: Staged, written: Written) -> None:
        """Write the reverts with their authors from `revision`, and clear the authors that are hidden there.

        Another writer can hide an author after we read `revision` and before we write. When it looked for reverts, our
        row was not there yet. So we read `revision` again after writing, until both tables agree. If events give a
        revision two save times, it has rows in two days of both tables, and each row has its own author.

        Only days with a revert of this batch are read again. A revert that another writer adds meanwhile on another day
        is left to that writer, which reads `revision` after it has written.
        """
        self._define_revert_now(revisions.days)
        found = self._engine.execute(
            "SELECT day FROM new_revert UNION SELECT day FROM revised SEMI JOIN revert_now USING (day, wiki_id, rev_id)"
        ).fetchall()
        revert_days = [day for (day,) in found]
        if not revert_days:
            return
        for _ in range(CONFLICT_RETRIES):
            table_relation(self._engine, self._lake, REVISION, revert_days).create_view(
                "author_now", replace=True
            )
            names = ", ".join(
                f"r.{name}" for name in REVERT.column_names if name not in {"actor_key", "user_kind"}
            )
            self._engine.execute(
                f"CREATE OR REPLACE TEMP TABLE authored AS "
                f"SELECT {names}, a.actor_key, coalesce(a.user_kind, 'unknown') AS user_kind FROM ("
                "SELECT * EXCLUDE (actor_key, user_kind) FROM revert_now "
                "SEMI JOIN revised USING (day, wiki_id, rev_id) "
                "UNION BY NAME SELECT * FROM new_revert ANTI JOIN revert_now USING (day, wiki_id, rev_id)) r "
                "JOIN author_now a USING (day, wiki_id, rev_id) "
                "LEFT JOIN revert_now o USING (day, wiki_id, rev_id) "
                "WHERE o.rev_id IS NULL OR o.actor_key IS DISTINCT FROM a.actor_key "
                "OR o.user_kind IS DISTINCT FROM a.user_kind"
            )
            days = [day for (day,) in self._engine.execute("SELECT DISTINCT day FROM authored").fetchall()]
            if not days:
                return
            rows = self._engine.sql(f"SELECT {', '.join(REVERT.column_names)} FROM authored")
            changed = merge(self._lake, REVERT, rows, days, _AUTHOR_OF_REVERT)
            self._count(REVERT, changed, written)
            self._define_revert_now(revert_days)
        raise LakeError(
            f"{self._lake.root}/{REVERT.name}: its authors differ from {REVISION.name} after {CONFLICT_RETRIES} tries"
        )

    def _define_revert_now(self, days: Sequence[date]) -> None:
        table_relation(self._engine, self._lake, REVERT, days).create_view("revert_now", replace=True)

    def _write_reverted(self, written: Written) -> None:
        """Write the rows of `reverted` that this batch can change.

        Another writer can commit revisions or reverts after we read them, and derive its rows before ours are written.
        So we derive the rows again after our commit, until no file has changed.
        """
        self._id_ranges.refresh()
        while True:
            rows = reverted_rows(self._engine, STEPS_FOR_BATCH, self._id_ranges.narrow)
            days = [
                day for (day,) in self._engine.execute("SELECT DISTINCT day FROM reverted_now").fetchall()
            ]
            if not days:
                return
            changed = merge(self._lake, REVERTED, rows, days, reverted_change())
            self._count(REVERTED, changed, written)
            if not self._id_ranges.refresh():
                return

    def _write_unreadable(self, batch: Batch, staged: StagedBatch, written: Written) -> None:
        found = [(each.place, each.reason, each.sha256) for each in batch.broken]
        found += [(batch.places[each.number], each.reason, each.sha256) for each in staged.unreadable]
        rows = [
            {"source": place.source, "place": place.offset, "reason": reason, "sha256": sha256}
            for place, reason, sha256 in found
        ]
        if rows:
            number = merge(self._lake, UNREADABLE, self._as_rows(UNREADABLE, rows), ())
            self._count(UNREADABLE, number, written)

    def _write_places(self, batch: Batch, staged: StagedBatch) -> None:
        now = datetime.now(UTC).isoformat()
        watermark = None if staged.watermark is None else staged.watermark.isoformat()
        edited = None if staged.edited is None else staged.edited.isoformat()
        rows: list[dict[str, object]] = [
            {"source": source, "place": place, "watermark": watermark, "edited": edited, "updated": now}
            for source, place in batch.resume.items()
        ]
        if not rows:
            return
        merge(self._lake, PLACE, self._as_rows(PLACE, rows), (), _PLACE_MOVES)

    def _as_rows(self, table: Table, rows: Sequence[dict[str, object]]) -> Relation:
        columns = {each.name: each.type for each in table.columns}
        return make_table(self._engine, f"rows_of_{table.name}", rows, columns)

    @staticmethod
    def _count(table: Table, number: int, written: Written) -> None:
        if number:
            written.rows[table.name] = written.rows.get(table.name, 0) + number
