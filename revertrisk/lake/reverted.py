"""Derives the table `reverted` from `revision` and `revert`: which edits were undone, and how soon.

The writer derives the rows that a batch can have changed; `lake check` derives all rows with the same statements. A
revert undoes the revisions of its page from `oldest_id` to `newest_id`, which MediaWiki puts into the event, and only
revisions before it by (dt, rev_id). MediaWiki itself tags those from the oldest to the newest by (timestamp, id)
(``RevisionStore::getRevisionIdsBetween``). The ids of old histories are not in the order of time, so a range of ids can
include the revert itself, or a later edit.
"""

from dataclasses import dataclass
from typing import Final

from revertrisk.lake.engine import Connection, Relation
from revertrisk.lake.id_ranges import ALL_IDS, REVERT_BY_ID, REVERT_BY_UNDONE_ID, REVISION_BY_ID, Narrow
from revertrisk.lake.tables import Change


@dataclass(frozen=True, slots=True)
class Step:
    """One SQL statement, and the rows that its view must have."""

    view: str
    """A view of `id_ranges`, which the statement reads."""
    ranges: str
    """An SQL query for the ranges of ids that the view must have."""
    statement: str


STEPS_FOR_ALL: Final = (
    Step(
        REVERT_BY_ID,
        ALL_IDS,
        f"CREATE OR REPLACE TEMP TABLE affected_revert AS SELECT * FROM {REVERT_BY_ID}",
    ),
)
"""Makes `affected_revert` of all reverts; for views of whole tables."""
# One range for each wiki and day: ids of one day are close together.
_REVISED_IDS: Final = """
SELECT wiki_id, min(rev_id) AS least, max(rev_id) AS greatest FROM revised WHERE kind IS NOT NULL GROUP BY wiki_id, day
"""
STEPS_FOR_BATCH: Final = (
    Step(
        REVERT_BY_ID,
        _REVISED_IDS,
        # Reverts of this batch, and reverts whose author this batch adds: the author decides who undid the edits.
        f"""
CREATE OR REPLACE TEMP TABLE direct AS
SELECT r.* FROM {REVERT_BY_ID} r
SEMI JOIN (FROM revised WHERE kind IS NOT NULL) e ON r.wiki_id = e.wiki_id AND r.rev_id = e.rev_id
""",
    ),
    Step(
        REVERT_BY_UNDONE_ID,
        _REVISED_IDS,
        f"""
INSERT INTO direct
SELECT r.* FROM {REVERT_BY_UNDONE_ID} r
SEMI JOIN (FROM revised WHERE kind IS NOT NULL) e
    ON r.wiki_id = e.wiki_id AND r.page_id = e.page_id AND e.rev_id BETWEEN r.oldest_id AND r.newest_id
ANTI JOIN direct d ON r.wiki_id = d.wiki_id AND r.rev_id = d.rev_id
""",
    ),
    Step(
        # Reverts that are undone by these: the rows of the edits that they undid record it.
        REVERT_BY_ID,
        "SELECT wiki_id, oldest_id AS least, newest_id AS greatest FROM direct",
        f"""
CREATE OR REPLACE TEMP TABLE affected_revert AS
SELECT * FROM direct
UNION
SELECT r.* FROM {REVERT_BY_ID} r SEMI JOIN direct d
    ON r.wiki_id = d.wiki_id AND r.page_id = d.page_id AND r.rev_id BETWEEN d.oldest_id AND d.newest_id
""",
    ),
)
"""Makes `affected_revert` of the reverts that a batch can change; needs `revised`, the batch's revisions."""
_UNDONE_BY_AFFECTED: Final = "SELECT wiki_id, oldest_id AS least, newest_id AS greatest FROM affected_revert"
_FIRST_REVERTS: Final = "SELECT wiki_id, first.id AS least, first.id AS greatest FROM first_revert"
_STEPS_FOR_ROWS: Final = (
    Step(
        REVISION_BY_ID,
        _UNDONE_BY_AFFECTED,
        f"""
CREATE OR REPLACE TEMP TABLE undone_edit AS
SELECT e.day, e.wiki_id, e.rev_id, e.page_id, e.dt, e.actor_key
FROM {REVISION_BY_ID} e
SEMI JOIN affected_revert r
    ON e.wiki_id = r.wiki_id AND e.page_id = r.page_id AND e.rev_id BETWEEN r.oldest_id AND r.newest_id
WHERE e.kind IS NOT NULL
""",
    ),
    Step(
        REVERT_BY_UNDONE_ID,
        _UNDONE_BY_AFFECTED,
        f"""
CREATE OR REPLACE TEMP TABLE first_revert AS
SELECT
    e.day, e.wiki_id, e.rev_id, e.page_id, e.dt, e.actor_key,
    arg_min({{id: r.rev_id, dt: r.dt, actor_key: r.actor_key, user_kind: r.user_kind}}, (r.dt, r.rev_id)) AS first
FROM undone_edit e
JOIN {REVERT_BY_UNDONE_ID} r
    ON e.wiki_id = r.wiki_id AND e.page_id = r.page_id AND e.rev_id BETWEEN r.oldest_id AND r.newest_id
    AND (e.dt < r.dt OR (e.dt = r.dt AND e.rev_id < r.rev_id))
GROUP BY ALL
""",
    ),
    Step(
        REVERT_BY_UNDONE_ID,
        _FIRST_REVERTS,
        f"""
CREATE OR REPLACE TEMP TABLE undone_revert AS
SELECT f.wiki_id, f.page_id, f.rev_id, arg_min({{dt: r.dt, actor_key: r.actor_key}}, (r.dt, r.rev_id)) AS undoing
FROM (SELECT DISTINCT wiki_id, page_id, first.id AS rev_id, first.dt AS dt FROM first_revert) f
JOIN {REVERT_BY_UNDONE_ID} r
    ON f.wiki_id = r.wiki_id AND f.page_id = r.page_id AND f.rev_id BETWEEN r.oldest_id AND r.newest_id
    AND (f.dt < r.dt OR (f.dt = r.dt AND f.rev_id < r.rev_id))
GROUP BY ALL
""",
    ),
    Step(
        REVISION_BY_ID,
        _FIRST_REVERTS,
        f"""
CREATE OR REPLACE TEMP TABLE reverted_now AS
SELECT
    f.day, f.wiki_id, f.rev_id, f.page_id,
    f.first.id AS first_revert_id,
    epoch(f.first.dt - f.dt) AS seconds_to_revert,
    f.first.actor_key = f.actor_key AS is_self,
    v.is_bot AS by_bot,
    f.first.user_kind AS reverter_kind,
    u.undoing.dt AS revert_reverted_at,
    u.undoing.actor_key = f.actor_key AS by_base_editor
FROM first_revert f
LEFT JOIN undone_revert u ON f.wiki_id = u.wiki_id AND f.page_id = u.page_id AND f.first.id = u.rev_id
LEFT JOIN (
    SELECT e.wiki_id, e.rev_id, bool_or(e.is_bot) AS is_bot
    FROM {REVISION_BY_ID} e
    SEMI JOIN first_revert f ON e.wiki_id = f.wiki_id AND e.rev_id = f.first.id
    GROUP BY ALL
) v ON f.wiki_id = v.wiki_id AND f.first.id = v.rev_id
""",
    ),
)
_OF_AUTHORS: Final = ("is_self", "by_bot", "by_base_editor")
_FACTS: Final = ("first_revert_id", "seconds_to_revert", "revert_reverted_at")


def reverted_rows(connection: Connection, affected: tuple[Step, ...], narrow: Narrow) -> Relation:
    """Return the rows of `reverted` for the edits that the affected reverts undid, in a temporary table."""
    for step in (*affected, *_STEPS_FOR_ROWS):
        narrow(step.view, step.ranges)
        connection.execute(step.statement)
    return connection.table("reverted_now")


def reverted_change() -> Change:
    """Return how a merge changes a row of `reverted`, and which rows.

    Facts about the authors of the same revert stay when the actor keys have been removed.
    """
    same = "s.first_revert_id = t.first_revert_id"
    update = {name: f"s.{name}" for name in _FACTS}
    update |= {
        name: f"CASE WHEN {same} THEN coalesce(s.{name}, t.{name}) ELSE s.{name} END" for name in _OF_AUTHORS
    }
    update["reverter_kind"] = (
        f"CASE WHEN {same} AND s.reverter_kind = 'unknown' THEN t.reverter_kind ELSE s.reverter_kind END"
    )
    changed = [f"(s.{name} IS DISTINCT FROM t.{name})" for name in _FACTS]
    changed += [f"(s.{name} IS NOT NULL AND (s.{name} IS DISTINCT FROM t.{name}))" for name in _OF_AUTHORS]
    changed.append("(s.reverter_kind <> 'unknown' AND (s.reverter_kind IS DISTINCT FROM t.reverter_kind))")
    return Change(update, " OR ".join(changed))
