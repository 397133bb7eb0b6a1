"""Finds the data files that can hold a revision, by the smallest and largest id of each wiki in each file.

A running writer keeps these ranges in memory. Data files never change, so it reads each file once. Without the ranges,
every batch would read the ids of all revisions of the lake, and would take longer as the lake grows.
"""

from collections.abc import Callable

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
_VIEWS: dict[str, tuple[Table, str, str]] = {
    REVISION_BY_ID: (REVISION, "rev_id", "rev_id"),
    REVERT_BY_ID: (REVERT, "rev_id", "rev_id"),
    REVERT_BY_UNDONE_ID: (REVERT, "oldest_id", "newest_id"),
}


ALL_IDS = ""
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
        for view in _VIEWS:
            connection.execute(
                f"CREATE TEMP TABLE {view}_range (file VARCHAR, wiki_id VARCHAR, least BIGINT, greatest BIGINT)"
            )

    def refresh(self) -> bool:
        """Read the ranges of files that are new in the newest version, and drop those of files that it no longer has.

        Return whether the files have changed; raises LakeError.
        """
        is_changed = False
        for table, known in self._known.items():
            files = set(self._lake.files(table))
            for view, (of, least, greatest) in _VIEWS.items():
                if of is not table:
                    continue
                if known - files:
                    self._connection.execute(
                        f"DELETE FROM {view}_range WHERE list_contains($1, file)", [sorted(known - files)]
                    )
                if files - known:
                    listed = ", ".join(quoted(file) for file in sorted(files - known))
                    self._connection.execute(
                        f"INSERT INTO {view}_range SELECT filename, wiki_id, min({least}), max({greatest}) "
                        f"FROM read_parquet([{listed}], filename = true) GROUP BY filename, wiki_id"
                    )
            is_changed |= files != known
            self._known[table] = files
        return is_changed

    def narrow(self, view: str, ranges: str) -> None:
        """Redefine a view over the files that can have ids in the ranges."""
        found = self._connection.execute(
            f"SELECT DISTINCT r.file FROM {view}_range r JOIN ({ranges}) a "
            "ON r.wiki_id = a.wiki_id AND r.least <= a.greatest AND r.greatest >= a.least"
        ).fetchall()
        files = sorted(file for (file,) in found)
        table, _, _ = _VIEWS[view]
        rows = files_relation(self._connection, table, files, is_older=self._lake.is_older)
        rows.create_view(view, replace=True)
