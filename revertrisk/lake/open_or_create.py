"""Opens a lake, and creates what is missing: its tables, columns and key."""

import json
import secrets
from collections.abc import Mapping
from typing import Final

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.schema import Schema

from revertrisk.lake import key as keys
from revertrisk.lake import schema, storage
from revertrisk.lake.bots import list_shipped_bots
from revertrisk.lake.errors import LakeConfigurationError, LakeError, message_of
from revertrisk.lake.schema import DELTA_TYPES, PLACE, TABLES, Table
from revertrisk.lake.tables import COMMIT, Lake, retry_conflicts

LOG_RETENTION_DAYS: Final = 7
_ID: Final = "revertrisk.lakeId"
_FORMAT: Final = "revertrisk.format"
_CHECK: Final = "revertrisk.keyCheck"


def open_lake(root: str) -> Lake:
    """Open a lake for reading.

    Raises:
        LakeConfigurationError: there is no lake, or its major format is not supported.
        LakeError: it is damaged.

    """
    lake = Lake(storage.as_root(root), "", None)  # to look up the configuration, which has the id
    configuration = _configuration(lake)
    if configuration is None:
        raise LakeConfigurationError(f"{root}: there is no lake here; `revertrisk lake run --to` creates one")
    return Lake(lake.root, configuration[_ID], None, _is_other_minor(configuration))


def open_lake_with_key(root: str, key_file: str | None) -> Lake:
    """Open an existing lake with its key; raises what `make_lake` and `open_lake` raise."""
    open_lake(root)  # raises if there is no lake, which `make_lake` would create
    return make_lake(root, key_file)


def make_lake(root: str, key_file: str | None) -> Lake:
    """Open a lake for writing, with its key; create the lake, or the tables, columns and list of bots that it lacks.

    Raises:
        LakeConfigurationError: the folder has other files, the format is not supported, the key is missing or wrong, or
            the object store has no conditional PUT.
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
    made = Lake(lake.root, lake_id, actor_keys, _is_other_minor(configuration))
    for table in TABLES:
        _create_table(made, table, configuration)
        _add_columns(made, table)
    list_shipped_bots(made)
    return made


def _configuration(lake: Lake) -> Mapping[str, str] | None:
    """Return the lake's id, format and check value of its key; None if there is nothing yet."""
    uri = f"{lake.root}/{PLACE.name}"
    if not _is_table(lake, PLACE):
        there = storage.names_at(lake.root)
        if there == [PLACE.name] and not set(storage.names_at(uri)) - {"_delta_log"}:
            return None  # another writer is creating it, or was killed before its first commit
        if {table.name for table in TABLES} & set(there):
            raise LakeError(f"{uri}: the lake is damaged: this table is missing or has no log")
        if there:
            raise LakeConfigurationError(
                f"{lake.root}: expected a lake or an empty folder, but it contains {there[0]!r}"
            )
        return None
    configuration: dict[str, str] = {
        name: str(value) for name, value in lake.table(PLACE).metadata().configuration.items()
    }
    if not {_ID, _FORMAT, _CHECK} <= set(configuration):
        raise LakeConfigurationError(f"{lake.root}: these tables are not a lake of this program")
    major = configuration[_FORMAT].partition(".")[0]
    if major != schema.FORMAT.partition(".")[0]:
        raise LakeConfigurationError(
            f"{lake.root}: the lake has format {configuration[_FORMAT]}, this program supports {schema.FORMAT}; "
            f"use a version that supports format {major}"
        )
    return configuration


def _is_table(lake: Lake, table: Table) -> bool:
    uri = f"{lake.root}/{table.name}"
    try:
        return DeltaTable.is_deltatable(uri, storage.options(lake.root))
    except (DeltaError, OSError) as exc:
        raise LakeError(f"{uri}: the table cannot be looked up: {message_of(exc)}") from exc


def _is_other_minor(configuration: Mapping[str, str]) -> bool:
    return configuration[_FORMAT] != schema.FORMAT


def _create(lake: Lake, key_file: str | None) -> Mapping[str, str]:
    lake_id = secrets.token_hex(8)
    path = keys.key_path(lake_id, key_file)
    actor_keys = keys.make_key(path, lake.root)
    wanted = {_ID: lake_id, _FORMAT: schema.FORMAT, _CHECK: actor_keys.check_value(lake_id)}
    _create_table(lake, PLACE, wanted)
    found = _configuration(lake)
    if found is None:
        raise LakeError(f"{lake.root}: the lake cannot be created")
    if found[_ID] != lake_id and not key_file:  # another writer created it meanwhile, with its own key
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
        if not _is_table(lake, table):  # otherwise another writer created it
            raise LakeError(f"{uri}: the table cannot be created: {message_of(exc)}") from exc


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
        retry_conflicts(lake, table, lambda target: target.alter.add_columns(new, commit_properties=COMMIT))
