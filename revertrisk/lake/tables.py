"""Reads and changes the Delta tables of a lake. Only this module and `open_or_create` import deltalake.

A commit is atomic, and a reader sees one version of a table throughout. A change is committed only as the version after
the one that it was made from: if two writers change a table at once, one of them repeats its change.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final, Protocol

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
from revertrisk.lake.errors import LakeError, message_of
from revertrisk.lake.schema import Table

log = logging.getLogger(__name__)

ONE_FILE_BYTES: Final = 2 * 1024**3
"""More than any partition: a compacted partition has one file, and is not compacted again."""
MERGE_BYTES: Final = 128 * 1024**2
"""How much of a table's files a merge reads at once; it takes about twice as much memory."""
CONFLICT_RETRIES: Final = 20
"""How often a change is repeated after conflicts with other writers."""
_WRITER: Final = WriterProperties(compression="ZSTD", compression_level=1)
COMMIT: Final = CommitProperties(max_commit_retries=0)
"""Commit as the version after the one that was read, or raise a conflict.

With retries, deltalake itself decides whether two changes are compatible. For two overwrites its answer is wrong: it
commits both, and each row is in the table twice.
"""
_HOOKS: Final = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=True)


@dataclass(frozen=True, slots=True)
class Lake:
    """An open lake: its location, and the key for its actor keys."""

    root: str
    """Its folder, or ``s3://BUCKET/PREFIX``."""
    lake_id: str
    actor_keys: keys.ActorKeys | None
    """None for a reader that needs no key."""
    is_older: bool = False
    """Whether its minor format is another than this program's, so that files can lack columns."""

    def table(self, table: Table) -> DeltaTable:
        """Open a table's newest version.

        Raises:
            LakeError: the table is damaged or missing.

        """
        uri = f"{self.root}/{table.name}"
        try:
            return DeltaTable(uri, storage_options=storage.options(self.root))
        except (DeltaError, TableNotFoundError, OSError) as exc:
            raise LakeError(f"{uri}: the table cannot be opened: {message_of(exc)}") from exc

    def files(self, table: Table, days: Iterable[date] | None = None) -> list[str]:
        """Return the data files of a table's newest version, or only of the partitions ``days``; raises LakeError."""
        paths = _paths(self, table, self.table(table))
        if days is None or table.partition is None:
            return paths
        wanted = set(days)
        return [path for path in paths if _partition_of(table, path) in wanted]


@dataclass(frozen=True, slots=True)
class Change:
    """What a merge does with rows whose key is in the table already."""

    update: Mapping[str, str] = field(default_factory=dict)
    """SQL expressions by column; ``s`` is the new row, ``t`` the row in the table."""
    where: str | None = None
    """An SQL condition for the rows that change; None for all."""
    deletes: bool = False
    """Whether these rows are deleted instead of updated."""
    inserts: bool = True
    """Whether rows whose key is not in the table are added."""


INSERT_ONLY: Final = Change()


class Rows(Protocol):
    """Rows that export Arrow, such as a relation of the engine."""

    def filter(self, condition: str, /) -> "Rows":
        """Return the rows for which an SQL condition holds."""
        ...

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Export the rows as an Arrow stream."""
        ...


def merge(
    lake: Lake, table: Table, rows: Rows, partitions: Iterable[date], change: Change = INSERT_ONLY
) -> int:
    """Merge rows into a table by its key; return how many were added, changed or deleted.

    ``rows`` have columns of the table. ``partitions`` are the partitions of the rows; only these are read. A merge
    reads them whole, so partitions with more than `MERGE_BYTES` together are merged in several commits. A merge that
    failed between two of them is repeated, and changes only the rest. If nothing changes, nothing is written. Values
    of the rows are never in the log.

    Raises:
        LakeError: the table cannot be written.

    """
    if table.partition is None:
        return _merge(lake, table, rows, None, change)
    done = 0
    for group in _groups(lake, table, sorted(partitions)):
        listed = ", ".join(f"DATE '{day}'" for day in group)
        done += _merge(lake, table, rows.filter(f"{table.partition} IN ({listed})"), listed, change)
    return done


def _groups(lake: Lake, table: Table, partitions: Sequence[date]) -> Iterator[list[date]]:
    """Yield the partitions in groups with files of at most `MERGE_BYTES`; a larger partition is alone."""
    sizes = _file_sizes(lake, table) if len(partitions) > 1 else {}
    group: list[date] = []
    size = 0
    for partition in partitions:
        more = sum(sizes.get(partition, ()))
        if group and size + more > MERGE_BYTES:
            yield group
            group, size = [], 0
        group.append(partition)
        size += more
    if group:
        yield group


def _merge(lake: Lake, table: Table, rows: Rows, listed: str | None, change: Change) -> int:
    """Merge rows in one commit; ``listed`` are their partitions as SQL."""
    predicate = " AND ".join(f"t.{name} = s.{name}" for name in table.key)
    if listed is not None:
        predicate += f" AND t.{table.partition} = s.{table.partition} AND t.{table.partition} IN ({listed})"

    def make(target: DeltaTable) -> dict[str, Any]:
        merger = target.merge(
            rows,
            predicate,
            source_alias="s",
            target_alias="t",
            writer_properties=_WRITER,
            commit_properties=COMMIT,
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

    done = retry_conflicts(lake, table, make)
    return sum(int(done[f"num_target_rows_{what}"]) for what in ("inserted", "updated", "deleted"))


def replace(lake: Lake, table: Table, rows: Any) -> None:
    """Replace all rows of a table in one commit; raises LakeError.

    ``rows`` is anything that exports Arrow, with all columns of the table in their order.
    """
    retry_conflicts(lake, table, lambda target: _overwrite(target, rows, None))


def delete_partitions(lake: Lake, table: Table, before: date) -> int:
    """Delete the partitions before a day; return the number of removed files. Raises LakeError."""
    predicate = f"{table.partition} < DATE '{before}'"
    deleted = retry_conflicts(lake, table, lambda target: target.delete(predicate, commit_properties=COMMIT))
    return int(deleted["num_removed_files"])


def compact(lake: Lake, table: Table, partition: date | None, rows_of: Callable[[list[str]], Any]) -> int:
    """Rewrite the files of one partition into one, in one commit; return the number of replaced files.

    ``rows_of`` returns the rows of the given data files in their new order, in a form that `replace` takes.
    deltalake's own compaction supports one writer only: if two compact the same files at once, both are committed,
    whatever ``max_commit_retries`` is, and each row is in the table twice.

    Raises:
        LakeError: the table cannot be written.

    """
    where = None if partition is None else f"{table.partition} = DATE '{partition}'"

    def rewrite(target: DeltaTable) -> int:
        paths = [path for path in _paths(lake, table, target) if _partition_of(table, path) == partition]
        if len(paths) <= 1:  # another writer compacted it
            return 0
        _overwrite(target, rows_of(paths), where)
        return len(paths)

    return int(retry_conflicts(lake, table, rewrite))


def vacuum(lake: Lake, table: Table, keep: timedelta, *, also_unknown: bool) -> int:
    """Remove files that no version younger than ``keep`` needs; return their number. Raises LakeError.

    With ``also_unknown`` it also removes files that no version ever named, which a killed writer left. A file that is
    being written is such a file too, so ``keep`` must be longer than a commit can take.
    """
    hours = int(keep / timedelta(hours=1))

    def remove(target: DeltaTable) -> list[str]:
        return target.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=also_unknown)

    return len(retry_conflicts(lake, table, remove))


def files_by_partition(lake: Lake, table: Table) -> dict[date | None, int]:
    """Return the number of data files of each partition; raises LakeError."""
    return {partition: len(sizes) for partition, sizes in _file_sizes(lake, table).items()}


def _file_sizes(lake: Lake, table: Table) -> dict[date | None, list[int]]:
    """Return the sizes in bytes of the data files of each partition."""
    files = lake.table(table).get_add_actions()
    found: dict[date | None, list[int]] = {}
    for path, size in zip(files["path"].to_pylist(), files["size_bytes"].to_pylist(), strict=True):
        found.setdefault(_partition_of(table, path), []).append(size)
    return found


def _paths(lake: Lake, table: Table, version: DeltaTable) -> list[str]:
    """Return the data files of a version, as the engine opens them: deltalake's ``file_uris`` has escaped paths."""
    return [f"{lake.root}/{table.name}/{path}" for path in version.get_add_actions()["path"].to_pylist()]


def _partition_of(table: Table, path: str) -> date | None:
    name, _, value = path.rpartition("/")[0].rpartition("/")[2].partition("=")
    return date.fromisoformat(value) if name == table.partition else None


def _overwrite(target: DeltaTable, rows: Any, where: str | None) -> None:
    write_deltalake(
        target,
        rows,
        mode="overwrite",
        predicate=where,
        target_file_size=ONE_FILE_BYTES,
        writer_properties=_WRITER,
        commit_properties=COMMIT,
        post_commithook_properties=_HOOKS,
    )


def retry_conflicts(lake: Lake, table: Table, change: Any) -> Any:
    """Make a change to the newest version of a table; repeat it after a conflict with another writer.

    Raises:
        LakeError: the table cannot be written, or every try ended in a conflict.

    """
    for left in reversed(range(CONFLICT_RETRIES)):
        try:
            with _locked(lake, table):
                return change(lake.table(table))
        except CommitFailedError as exc:
            if not left:
                raise LakeError(
                    f"{lake.root}/{table.name}: {CONFLICT_RETRIES} tries ended in conflicts with other writers"
                ) from exc
            log.info("%s: another writer's commit came first; the change is repeated", table.name)
        except (DeltaError, OSError) as exc:
            raise LakeError(f"{lake.root}/{table.name}: cannot be written: {message_of(exc)}") from exc
    raise AssertionError


@contextmanager
def _locked(lake: Lake, table: Table) -> Iterator[None]:
    """Lock a table against other writers on this machine, since a change that ends in a conflict is wasted work.

    Commits are safe without the lock, as between several machines.
    """
    if storage.is_remote(lake.root):
        yield
        return
    folder = os.open(f"{lake.root}/{table.name}", os.O_RDONLY)
    try:
        with suppress(OSError):  # the file system has no locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
