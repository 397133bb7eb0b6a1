"""Finds the data files that can hold a revision, by the smallest and largest id of each wiki in each file.

A running writer keeps these ranges in memory. Data files never change, so it reads each file once. Without the ranges,
every batch would read the ids of all revisions of the lake, and would take longer as the lake grows.
"""

from collections.abc import Callable
from typing import Final

from revertrisk.lake.engine import Connection, files_relation, quoted
from revertrisk.lake.schema import REVERT, REVISION, Table
from revertrisk.lake.tables import Lake

Narrow = Callable[[str, str], None]
"""Redefines one of the views below, so that it has at least the rows with ids in some ranges.

Its arguments are the view and an SQL query for the ranges, with columns wiki_id, least and greatest.
"""

REVISION_BY_ID = "revision_by_id"
"""Revisions by their id."""
REVERT_BY_ID = "revert_by_id"
"""Reverts by the id of the reverting revision."""
REVERT_BY_UNDONE_ID = "revert_by_undone_id"
"""Reverts by the ids of the revisions that they undo."""
_VIEWS: Final[dict[str, tuple[Table, str, str]]] = {
    REVISION_BY_ID: (REVISION, "rev_id", "rev_id"),
    REVERT_BY_ID: (REVERT, "rev_id", "rev_id"),
    REVERT_BY_UNDONE_ID: (REVERT, "oldest_id", "newest_id"),
}
"""The table of each view, and its columns with the least and the greatest id."""

ALL_IDS: Final = ""
"""The ranges for views of whole tables, which are not narrowed."""


def whole_tables(connection: Connection, lake: Lake) -> Narrow:
    """Define the views with all rows of their tables; return a `Narrow` that changes nothing."""
    for view, (table, _, _) in _VIEWS.items():
        files_relation(connection, table, lake.files(table), is_older=lake.is_older).create_view(
            view, replace=True
        )
    return lambda _view, _ranges: None


class IdRanges:
    """The ranges of ids in the files of a lake's newest version."""

    def __init__(self, connection: Connection, lake: Lake) -> None:
        """Take the engine in which the views are defined."""
        self._connection = connection
        self._lake = lake
        self._known: dict[Table, set[str]] = {REVISION: set(), REVERT: set()}
        connection.execute(
            "CREATE TEMP TABLE id_range (view VARCHAR, file VARCHAR, wiki_id VARCHAR, least BIGINT, greatest BIGINT)"
        )

    def refresh(self) -> bool:
        """Read the ranges of files that are new in the newest version, and drop those of files that it no longer has.

        Return whether the files have changed; raises LakeError.
        """
        is_changed = False
        for table, known in self._known.items():
            files = set(self._lake.files(table))
            gone, new = sorted(known - files), sorted(files - known)
            if gone:
                self._connection.execute("DELETE FROM id_range WHERE list_contains($1, file)", [gone])
            if new:
                self._add(table, new)
            is_changed |= bool(gone or new)
            self._known[table] = files
        return is_changed

    def _add(self, table: Table, files: list[str]) -> None:
        """Read the ranges of files, in one statement: it adds those of all views, or none."""
        rows = f"read_parquet([{', '.join(map(quoted, files))}], filename = true, hive_partitioning = false)"
        self._connection.execute(
            "INSERT INTO id_range "
            + " UNION ALL ".join(
                f"SELECT {quoted(view)}, filename, wiki_id, min({least}), max({greatest}) FROM {rows} "
                "GROUP BY filename, wiki_id"
                for view, (of, least, greatest) in _VIEWS.items()
                if of is table
            )
        )

    def narrow(self, view: str, ranges: str) -> None:
        """Redefine a view over the files that can have ids in the ranges."""
        found = self._connection.execute(
            f"SELECT DISTINCT r.file FROM id_range r JOIN ({ranges}) a "
            f"ON r.view = {quoted(view)} AND r.wiki_id = a.wiki_id AND r.least <= a.greatest AND r.greatest >= a.least"
        ).fetchall()
        files = sorted(file for (file,) in found)
        table, _, _ = _VIEWS[view]
        rows = files_relation(self._connection, table, files, is_older=self._lake.is_older)
        rows.create_view(view, replace=True)
