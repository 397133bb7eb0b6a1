"""The Delta tables: the one door to deltalake.

A commit is atomic, and readers see one version of a table from beginning to end. A change is committed only as the
version after the one that it was made from: of two writers that change a table at once, one repeats its change.
"""

import fcntl
import json
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from deltalake.schema import Schema

from revertrisk.lake import key as keys
from revertrisk.lake import schema, storage
from revertrisk.lake.errors import (
    LakeConfigurationError,
    LakeError,
    no_panic_of_a_full_disk,
    words_of,
)
from revertrisk.lake.schema import DELTA_TYPES, PLACE, TABLES, Table

log = logging.getLogger(__name__)

LOG_RETENTION_DAYS: Final = 7
ONE_FILE_BYTES: Final = 2 * 1024**3
"""Above every partition: a compacted one has one file, and is left alone from then on."""
CONFLICT_RETRIES: Final = 20
"""How often a change is repeated that another writer's commit came before."""
SPARE_BYTES: Final = 256 * 1024**2
"""So much of the disk, or a twentieth of it where that is less, stays free."""
_ID: Final = "revertrisk.lakeId"
_FORMAT: Final = "revertrisk.format"
_CHECK: Final = "revertrisk.keyCheck"
_WRITING: Final = WriterProperties(compression="ZSTD", compression_level=1)
_COMMIT: Final = CommitProperties(max_commit_retries=0)
"""As the version after the one that was read, or not at all.

Otherwise deltalake decides whether two changes fit together, and is wrong of two overwrites: it commits both, and every
row is there twice.
"""
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
            raise LakeError(f"{uri}: the table cannot be opened: {words_of(exc)}") from exc

    def files(self, table: Table) -> list[str]:
        """Return the data files of a table's newest version; raises LakeError."""
        return self.table(table).file_uris()


def open_lake(root: str) -> Lake:
    """Open a lake for reading.

    Raises:
        LakeConfigurationError: there is no lake, or it is of a newer major format.
        LakeError: it is damaged.

    """
    lake = Lake(storage.as_root(root), "", None)
    configuration = _configuration(lake)
    if configuration is None:
        raise LakeConfigurationError(f"{root}: there is no lake here; `revertrisk lake run --to` makes one")
    return Lake(lake.root, configuration[_ID], None, _is_older(configuration))


def open_lake_with_key(root: str, key_file: str | None) -> Lake:
    """Open an existing lake with its key; raises as `make_lake`, and LakeConfigurationError where there is none."""
    open_lake(root)
    return make_lake(root, key_file)


def make_lake(root: str, key_file: str | None) -> Lake:
    """Open a lake for writing, with its key; make what it lacks, which is all of it where there is nothing yet.

    Raises:
        LakeConfigurationError: the folder holds something else, the format is newer, the key is missing or another, or
            the object store cannot keep two writers apart.
        LakeError: it is damaged or cannot be written.

    """
    lake = Lake(storage.as_root(root), "", None)
    storage.require_safe_commits(lake.root)
    configuration = _configuration(lake)
    if configuration is None:
        configuration = _create(lake, key_file)
    lake_id = configuration[_ID]
    path = keys.key_path(lake_id, key_file)
    actor_keys = keys.read_key(path, lake.root, lake_id, configuration[_CHECK])
    made = Lake(lake.root, lake_id, actor_keys, _is_older(configuration))
    for table in TABLES:
        _create_table(made, table, configuration)
        _add_columns(made, table)
    return made


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

    done = _repeated(lake, table, make)
    return sum(int(done[f"num_target_rows_{what}"]) for what in ("inserted", "updated", "deleted"))


def replace(lake: Lake, table: Table, rows: Any) -> None:
    """Put rows in the place of all that a table has, in one commit; raises LakeError.

    ``rows`` is anything that hands over Arrow, with all columns of the table in their order.
    """
    _repeated(lake, table, lambda target: _overwrite(target, rows, None))


def delete_partitions(lake: Lake, table: Table, before: date) -> int:
    """Delete the partitions before a day; returns how many files that took out. Raises LakeError."""
    predicate = f"{table.partition} < DATE '{before}'"
    deleted = _repeated(lake, table, lambda target: target.delete(predicate, commit_properties=_COMMIT))
    return int(deleted["num_removed_files"])


def compact(lake: Lake, table: Table, partition: date | None, rows_of: Callable[[list[str]], Any]) -> int:
    """Write what one partition has into one new file, in one commit; returns how many files that replaced.

    ``rows_of`` returns the rows of some data files, as `replace` takes them, in the order in which they are to stand.
    deltalake's own compaction is for one writer only: two that rewrite the same files at once are both committed,
    whatever ``max_commit_retries`` is, and every row is there twice.

    Raises:
        LakeError: the table cannot be written.

    """
    where = None if partition is None else f"{table.partition} = DATE '{partition}'"

    def rewrite(target: DeltaTable) -> int:
        paths = [path for path in target.file_uris() if _partition_of(table, path) == partition]
        if len(paths) <= 1:  # another writer has done it
            return 0
        _overwrite(target, rows_of(paths), where)
        return len(paths)

    return int(_repeated(lake, table, rewrite))


def vacuum(lake: Lake, table: Table, keep: timedelta, *, also_unknown: bool) -> int:
    """Remove files that no version younger than ``keep`` needs; returns how many. Raises LakeError.

    ``also_unknown`` removes files that no version ever named, which a writer that was killed has left. A file that is
    being written is one of them: they must be kept for longer than a commit can take.
    """
    hours = int(keep / timedelta(hours=1))

    def remove(target: DeltaTable) -> list[str]:
        return target.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=also_unknown)

    return len(_repeated(lake, table, remove))


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
        partition = _partition_of(table, path)
        found[partition] = found.get(partition, 0) + 1
    return found


def _partition_of(table: Table, path: str) -> date | None:
    name, _, value = path.rsplit("/", 2)[-2].partition("=")
    return date.fromisoformat(value) if name == table.partition else None


def _overwrite(target: DeltaTable, rows: Any, where: str | None) -> None:
    write_deltalake(
        target,
        rows,
        mode="overwrite",
        predicate=where,
        target_file_size=ONE_FILE_BYTES,
        writer_properties=_WRITING,
        commit_properties=_COMMIT,
        post_commithook_properties=_HOOKS,
    )


def _repeated(lake: Lake, table: Table, change: Any) -> Any:
    """Make a change to the newest version of a table; repeat it where another writer's commit came before."""
    for left in reversed(range(CONFLICT_RETRIES)):
        try:
            with _turn(lake, table), no_panic_of_a_full_disk():
                return change(lake.table(table))
        except CommitFailedError as exc:
            if not left:
                raise LakeError(
                    f"{lake.root}/{table.name}: other writers' commits always came first"
                ) from exc
            log.info("%s: another writer's commit came first; the change is repeated", table.name)
        except (DeltaError, OSError) as exc:
            raise LakeError(f"{lake.root}/{table.name}: cannot be written: {words_of(exc)}") from exc
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


def _configuration(lake: Lake) -> Mapping[str, str] | None:
    """Return what the lake says of itself, None where there is nothing yet."""
    uri = f"{lake.root}/{PLACE.name}"
    if not _is_table(lake, PLACE):
        there = storage.names_at(lake.root)
        if {table.name for table in TABLES} & set(there):
            raise LakeError(f"{uri}: the lake is damaged: this table is gone, or has lost its log")
        if there:
            raise LakeConfigurationError(
                f"{lake.root}: expected a lake or an empty folder; {there[0]!r} is neither's"
            )
        return None
    configuration: dict[str, str] = {
        name: str(value) for name, value in lake.table(PLACE).metadata().configuration.items()
    }
    if not {_ID, _FORMAT, _CHECK} <= set(configuration):
        raise LakeConfigurationError(f"{lake.root}: the tables here are no lake of this program")
    major = configuration[_FORMAT].partition(".")[0]
    if major != schema.FORMAT.partition(".")[0]:
        raise LakeConfigurationError(
            f"{lake.root}: the lake has format {configuration[_FORMAT]}, this program knows {schema.FORMAT}; "
            "use the program that made it, or a newer one"
        )
    return configuration


def _is_table(lake: Lake, table: Table) -> bool:
    uri = f"{lake.root}/{table.name}"
    try:
        return DeltaTable.is_deltatable(uri, storage.options(lake.root))
    except (DeltaError, OSError) as exc:
        raise LakeError(f"{uri}: it cannot be seen whether there is a table: {words_of(exc)}") from exc


def _is_older(configuration: Mapping[str, str]) -> bool:
    return configuration[_FORMAT] != schema.FORMAT


def _create(lake: Lake, key_file: str | None) -> Mapping[str, str]:
    lake_id = secrets.token_hex(8)
    path = keys.key_path(lake_id, key_file)
    actor_keys = keys.make_key(path, lake.root)
    wanted = {_ID: lake_id, _FORMAT: schema.FORMAT, _CHECK: actor_keys.check_value(lake_id)}
    _create_table(lake, PLACE, wanted)
    found = _configuration(lake)
    if found is None:
        raise LakeError(f"{lake.root}: the lake could not be made")
    if found[_ID] != lake_id and not key_file:  # another writer made it meanwhile, with a key of its own
        path.unlink(missing_ok=True)
    return found


def _create_table(lake: Lake, table: Table, configuration: Mapping[str, str]) -> None:
    uri = f"{lake.root}/{table.name}"
    if _is_table(lake, table):
        return
    fields = [
        {"name": each.name, "type": DELTA_TYPES[each.type], "nullable": True, "metadata": {}}
        for each in table.columns
    ]
    try:
        DeltaTable.create(
            uri,
            Schema.from_json(json.dumps({"type": "struct", "fields": fields})),
            mode="ignore",
            partition_by=[] if table.partition is None else [table.partition],
            description=table.meaning,
            configuration={
                **{name: configuration[name] for name in (_ID, _FORMAT, _CHECK)},
                "delta.dataSkippingStatsColumns": ",".join(table.statistics_columns),
                "delta.logRetentionDuration": f"interval {LOG_RETENTION_DAYS} days",
                "delta.enableExpiredLogCleanup": "true",
            },
            raise_if_key_not_exists=False,
            storage_options=storage.options(lake.root),
        )
    except (CommitFailedError, DeltaError, OSError) as exc:
        if not _is_table(lake, table):  # else another writer made it
            raise LakeError(f"{uri}: the table cannot be made: {words_of(exc)}") from exc


def _add_columns(lake: Lake, table: Table) -> None:
    """Add the columns that a lake of an older minor format lacks."""
    there = {field.name for field in lake.table(table).schema().fields}
    fields = [
        {"name": each.name, "type": DELTA_TYPES[each.type], "nullable": True, "metadata": {}}
        for each in table.columns
        if each.name not in there
    ]
    if fields:
        new = Schema.from_json(json.dumps({"type": "struct", "fields": fields})).fields
        _repeated(lake, table, lambda target: target.alter.add_columns(new, commit_properties=_COMMIT))
