"""The Delta tables: the one door to deltalake.

A commit is atomic, and readers see one version of a table from beginning to end. Of two writers that change the same
files one is told of a conflict and repeats its change.
"""

import fcntl
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from deltalake import (
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from revertrisk.lake import key as keys
from revertrisk.lake import storage
from revertrisk.lake.errors import LakeError, words_of
from revertrisk.lake.schema import Table

log = logging.getLogger(__name__)

ONE_FILE_BYTES: Final = 2 * 1024**3
"""Above every partition: a compacted one has one file, and is left alone from then on."""
CONFLICT_RETRIES: Final = 20
"""How often a change is repeated that another writer's commit came before."""
SPARE_BYTES: Final = 256 * 1024**2
"""So much of the disk, or a twentieth of it where that is less, stays free."""
_WRITING: Final = WriterProperties(compression="ZSTD", compression_level=1)
_COMMIT: Final = CommitProperties(max_commit_retries=CONFLICT_RETRIES)
_COMMIT_ALONE: Final = CommitProperties(max_commit_retries=0)
"""deltalake itself would put two tables that were overwritten at once side by side."""
_HOOKS: Final = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=True)


@dataclass(frozen=True, slots=True)
class Lake:
    """An open lake: where it is, and what its actor keys are made with."""

    root: str
    """Its folder, or ``s3://BUCKET/PREFIX``."""
    lake_id: str
    actor_keys: keys.ActorKeys | None
    """None for a reader that needs no key."""
    is_older: bool = False
    """It was made with an older minor format: old files may lack columns."""

    def table(self, table: Table) -> DeltaTable:
        """Open a table's newest version.

        Raises:
            LakeError: it is damaged or gone.

        """
        uri = f"{self.root}/{table.name}"
        try:
            return DeltaTable(uri, storage_options=storage.options(self.root))
        except (DeltaError, TableNotFoundError, OSError) as exc:
            raise LakeError(f"{uri}: the table cannot be opened: {delta_words(exc)}") from exc

    def files(self, table: Table) -> list[str]:
        """Return the data files of a table's newest version; raises LakeError."""
        return self.table(table).file_uris()


@dataclass(frozen=True, slots=True)
class Change:
    """What a merge does with rows whose key the table has."""

    update: Mapping[str, str] = field(default_factory=dict)
    """Expressions by column; ``s`` is the row that comes, ``t`` the one that is there."""
    where: str | None = None
    """Which rows change; None for all."""
    deletes: bool = False
    """They are deleted instead."""
    inserts: bool = True
    """Rows whose key the table does not have are added."""


INSERT_ONLY: Final = Change()


def merge(
    lake: Lake, table: Table, rows: Any, partitions: Iterable[date], change: Change = INSERT_ONLY
) -> int:
    """Merge rows into a table by its key, in one commit; return how many were added, changed or deleted.

    ``rows`` is anything that hands over Arrow, with columns of the table. ``partitions`` are those that the rows belong
    to: only they are looked at. Where nothing changes nothing is written. Values of the rows never stand in the log.

    Raises:
        LakeError: the table cannot be written.

    """
    predicate = " AND ".join(f"t.{name} = s.{name}" for name in table.key)
    if table.partition is not None:
        listed = ", ".join(f"DATE '{day}'" for day in sorted(partitions))
        if not listed:
            return 0
        predicate += f" AND t.{table.partition} = s.{table.partition} AND t.{table.partition} IN ({listed})"

    def make(target: DeltaTable) -> dict[str, Any]:
        merger = target.merge(
            rows,
            predicate,
            source_alias="s",
            target_alias="t",
            writer_properties=_WRITING,
            commit_properties=_COMMIT,
            post_commithook_properties=_HOOKS,
            streamed_exec=False,
        )
        if change.deletes:
            merger = merger.when_matched_delete(predicate=change.where)
        elif change.update:
            merger = merger.when_matched_update(dict(change.update), predicate=change.where)
        if change.inserts:
            merger = merger.when_not_matched_insert_all()
        return merger.execute()

    done = repeated(lake, table, make)
    return sum(int(done[f"num_target_rows_{what}"]) for what in ("inserted", "updated", "deleted"))


def replace(lake: Lake, table: Table, rows: Any) -> None:
    """Put rows in the place of all that a table has, in one commit; raises LakeError.

    ``rows`` is anything that hands over Arrow, with all columns of the table in their order.
    """

    def overwrite(target: DeltaTable) -> None:
        write_deltalake(
            target,
            rows,
            mode="overwrite",
            writer_properties=_WRITING,
            commit_properties=_COMMIT_ALONE,
            post_commithook_properties=_HOOKS,
        )

    repeated(lake, table, overwrite)


def delete_partitions(lake: Lake, table: Table, before: date) -> int:
    """Delete the partitions before a day; returns how many files that took out. Raises LakeError."""
    predicate = f"{table.partition} < DATE '{before}'"
    return int(repeated(lake, table, lambda target: target.delete(predicate))["num_removed_files"])


def compact(lake: Lake, table: Table, partition: date | None, sorted_by: tuple[str, ...] = ()) -> int:
    """Rewrite the files of one partition into one; returns how many files that replaced. Raises LakeError."""
    filters = None if partition is None else [(str(table.partition), "=", str(partition))]

    def rewrite(target: DeltaTable) -> dict[str, Any]:
        how: dict[str, Any] = {
            "partition_filters": filters,
            "target_size": ONE_FILE_BYTES,
            "writer_properties": _WRITING,
        }
        return target.optimize.z_order(sorted_by, **how) if sorted_by else target.optimize.compact(**how)

    return int(repeated(lake, table, rewrite)["numFilesRemoved"])


def vacuum(lake: Lake, table: Table, keep: timedelta, *, also_unknown: bool) -> int:
    """Remove files that no version younger than ``keep`` needs; returns how many. Raises LakeError.

    ``also_unknown`` removes files that no version ever named, which a writer that was killed has left. A file that is
    being written is one of them: they must be kept for longer than a commit can take.
    """
    hours = int(keep / timedelta(hours=1))

    def remove(target: DeltaTable) -> list[str]:
        return target.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=also_unknown)

    return len(repeated(lake, table, remove))


def require_room(lake: Lake) -> None:
    """Raise LakeError where the disk is nearly full: what is begun must end, and an erasure must be able to rewrite."""
    if "://" in lake.root:
        return
    disk = shutil.disk_usage(lake.root)
    spare = min(SPARE_BYTES, disk.total // 20)
    if disk.free < spare:
        raise LakeError(
            f"{lake.root}: the disk is full: {disk.free >> 20:,} MB are free, a batch is begun with {spare >> 20:,} MB "
            "or more; what is not in the lake yet will be read again"
        )


def files_by_partition(lake: Lake, table: Table) -> dict[date | None, int]:
    """Return how many data files each partition has; raises LakeError."""
    found: dict[date | None, int] = {}
    for path in lake.files(table):
        name, _, value = path.rsplit("/", 2)[-2].partition("=")
        partition = date.fromisoformat(value) if name == table.partition else None
        found[partition] = found.get(partition, 0) + 1
    return found


def repeated(lake: Lake, table: Table, change: Any) -> Any:
    """Make a change to the newest version of a table; repeat it where another writer's commit came before."""
    for left in reversed(range(CONFLICT_RETRIES)):
        try:
            with _turn(lake, table):
                return change(lake.table(table))
        except CommitFailedError as exc:
            if not left:
                raise LakeError(
                    f"{lake.root}/{table.name}: other writers' commits always came first"
                ) from exc
            log.info("%s: another writer's commit came first; the change is repeated", table.name)
        except (DeltaError, OSError) as exc:
            raise LakeError(f"{lake.root}/{table.name}: cannot be written: {delta_words(exc)}") from exc
    raise AssertionError


@contextmanager
def _turn(lake: Lake, table: Table) -> Iterator[None]:
    """Let writers of one machine change a table one after the other: a change that loses is work for nothing.

    Commits are safe without it, as they are on several machines.
    """
    if "://" in lake.root:
        yield
        return
    folder = os.open(f"{lake.root}/{table.name}", os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def delta_words(error: BaseException) -> str:
    """Return what deltalake's error says, in one line; a full disk in words of its own."""
    text = str(error)
    if "No space left on device" in text:
        return "the disk is full; what is not in the lake yet will be read again"
    return words_of(error)
