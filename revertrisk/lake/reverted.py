"""Which edits were undone, and how soon: derived from `revision` and `revert`.

One query serves the writer, which asks it for what a batch may have changed, and `lake check`, which asks for all. A
revert undoes the revisions of its page from its oldest to its newest reverted id, as MediaWiki told.
"""

from typing import Final

from revertrisk.lake.engine import Connection, Relation
from revertrisk.lake.tables import Change

AFFECTED_BY_BATCH: Final = """
CREATE OR REPLACE TEMP TABLE affected_revert AS
WITH direct AS (
    SELECT r.* FROM revert_now r SEMI JOIN new_revert n ON r.wiki_id = n.wiki_id AND r.rev_id = n.rev_id
    UNION
    SELECT r.* FROM revert_now r SEMI JOIN revised e
        ON r.wiki_id = e.wiki_id AND r.page_id = e.page_id AND e.rev_id BETWEEN r.oldest_id AND r.newest_id
)
SELECT * FROM direct
UNION
-- A revert that is undone now: what became of it stands in the rows of the edits that it undid.
SELECT r.* FROM revert_now r SEMI JOIN direct d
    ON r.wiki_id = d.wiki_id AND r.page_id = d.page_id AND r.rev_id BETWEEN d.oldest_id AND d.newest_id
"""
"""Needs `new_revert` and `revised`, the batch's rows, beside `revert_now`."""
AFFECTED_ALL: Final = "CREATE OR REPLACE TEMP TABLE affected_revert AS SELECT * FROM revert_now"

_PAGES: Final = """
CREATE OR REPLACE TEMP TABLE page_revision AS
SELECT e.day, e.wiki_id, e.rev_id, e.page_id, e.dt, e.actor_key, e.is_bot, e.kind
FROM revision_now e SEMI JOIN affected_revert r ON e.wiki_id = r.wiki_id AND e.page_id = r.page_id
"""
"""The one look at all revisions: those of the pages that are touched."""
_ROWS: Final = """
WITH edit AS (
    SELECT e.day, e.wiki_id, e.rev_id, e.page_id, e.dt, e.actor_key
    FROM page_revision e
    SEMI JOIN affected_revert r
        ON e.wiki_id = r.wiki_id AND e.page_id = r.page_id AND e.rev_id BETWEEN r.oldest_id AND r.newest_id
    WHERE e.kind IS NOT NULL
),
page_revert AS (
    SELECT r.wiki_id, r.page_id, r.rev_id, r.oldest_id, r.newest_id, r.dt, r.actor_key, r.user_kind
    FROM revert_now r SEMI JOIN affected_revert a ON r.wiki_id = a.wiki_id AND r.page_id = a.page_id
),
first_revert AS (
    SELECT
        e.day, e.wiki_id, e.rev_id, e.page_id, e.dt, e.actor_key,
        arg_min({id: r.rev_id, dt: r.dt, actor_key: r.actor_key, user_kind: r.user_kind}, (r.dt, r.rev_id)) AS first
    FROM edit e
    JOIN page_revert r
        ON e.wiki_id = r.wiki_id AND e.page_id = r.page_id AND e.rev_id BETWEEN r.oldest_id AND r.newest_id
    GROUP BY ALL
),
undone AS (
    SELECT
        u.wiki_id, u.page_id, u.rev_id,
        arg_min({dt: r.dt, actor_key: r.actor_key}, (r.dt, r.rev_id)) AS undoing
    FROM page_revert u
    JOIN page_revert r
        ON u.wiki_id = r.wiki_id AND u.page_id = r.page_id AND u.rev_id BETWEEN r.oldest_id AND r.newest_id
    GROUP BY ALL
),
reverter AS (
    SELECT v.wiki_id, v.rev_id, v.is_bot
    FROM page_revision v SEMI JOIN page_revert r ON v.wiki_id = r.wiki_id AND v.rev_id = r.rev_id
)
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
LEFT JOIN undone u ON f.wiki_id = u.wiki_id AND f.page_id = u.page_id AND f.first.id = u.rev_id
LEFT JOIN reverter v ON f.wiki_id = v.wiki_id AND f.first.id = v.rev_id
"""
_OF_AUTHORS: Final = ("is_self", "by_bot", "by_base_editor")
_FACTS: Final = ("first_revert_id", "seconds_to_revert", "revert_reverted_at")


def reverted_rows(connection: Connection, affected: str) -> Relation:
    """Return the rows of `reverted` that the affected reverts touch; needs `revision_now` and `revert_now`.

    They are worked out when this returns.
    """
    connection.execute(affected)
    connection.execute(_PAGES)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE reverted_now AS {_ROWS}")
    return connection.table("reverted_now")


def reverted_change() -> Change:
    """Return how a row of `reverted` changes, and when.

    What was known of the authors of the same revert stays known when their keys are gone.
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
