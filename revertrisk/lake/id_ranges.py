"""Which data files can hold a revision: the least and the greatest id in each, by wiki, known while a writer runs.

Data files never change, so each is looked at once. Without this, every batch would read the ids of all revisions that
the lake has, and the cost of a batch would grow with the lake's age.
"""

from collections.abc import Callable

from revertrisk.lake.engine import Connection, files_relation
from revertrisk.lake.schema import REVERT, REVISION, Table
from revertrisk.lake.tables import Lake

Narrow = Callable[[str, str], None]
"""Makes one of the views below hold at least the rows that a query asks for: ranges as wiki_id, least, greatest."""

REVISION_BY_ID = "revision_by_id"
"""Revisions whose id is in a range."""
REVERT_BY_ID = "revert_by_id"
"""Reverts whose own id is in a range."""
REVERT_OVER = "revert_over"
"""Reverts that undo a revision in a range."""
_VIEWS: dict[str, tuple[Table, str, str]] = {
    REVISION_BY_ID: (REVISION, "rev_id", "rev_id"),
    REVERT_BY_ID: (REVERT, "rev_id", "rev_id"),
    REVERT_OVER: (REVERT, "oldest_id", "newest_id"),
}


EVERYTHING = ""
"""What is asked of views of whole tables, which are not narrowed."""


def whole_tables(connection: Connection, lake: Lake) -> Narrow:
    """Make the views of all rows; returns what leaves them so."""
    for view, (table, _, _) in _VIEWS.items():
        files_relation(connection, table, lake.files(table), is_older=lake.is_older).create_view(
            view, replace=True
        )
    return lambda _view, _asked: None


class IdRanges:
    """Knows the ids in the files of one lake's newest version."""

    def __init__(self, connection: Connection, lake: Lake) -> None:
        """Take the engine in which the views are made."""
        self._connection = connection
        self._lake = lake
        self._known: dict[Table, set[str]] = {REVISION: set(), REVERT: set()}
        for view in _VIEWS:
            connection.execute(
                f"CREATE TEMP TABLE {view}_range (file VARCHAR, wiki_id VARCHAR, least BIGINT, greatest BIGINT)"
            )

    def refresh(self) -> bool:
        """Look at the files that are new in the newest version, forget those that it no longer has.

        Returns whether there were any; raises LakeError.
        """
        is_other = False
        for table, known in self._known.items():
            files = set(self._lake.files(table))
            for view, (of, least, greatest) in _VIEWS.items():
                if of is not table:
                    continue
                for file in sorted(known - files):
                    self._connection.execute(f"DELETE FROM {view}_range WHERE file = $1", [file])
                for file in sorted(files - known):
                    rows = files_relation(self._connection, table, [file], is_older=self._lake.is_older)
                    rows.create_view("new_rows", replace=True)
                    self._connection.execute(
                        f"INSERT INTO {view}_range SELECT $1, wiki_id, min({least}), max({greatest}) FROM new_rows "
                        "GROUP BY wiki_id",
                        [file],
                    )
            is_other |= files != known
            self._known[table] = files
        return is_other

    def narrow(self, view: str, asked: str) -> None:
        """Make a view of the files that can hold what is asked for."""
        found = self._connection.execute(
            f"SELECT DISTINCT r.file FROM {view}_range r JOIN ({asked}) a "
            "ON r.wiki_id = a.wiki_id AND r.least <= a.greatest AND r.greatest >= a.least"
        ).fetchall()
        files = sorted(file for (file,) in found)
        table, _, _ = _VIEWS[view]
        rows = files_relation(self._connection, table, files, is_older=self._lake.is_older)
        rows.create_view(view, replace=True)
