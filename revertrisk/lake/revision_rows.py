"""The SQL of rows of `revision`: of one event, of all events of a batch, and of the batch and the table."""

from typing import Final

from revertrisk.event_platform.page_change import (
    MAIN_NAMESPACE,
    MAX_REVISION_BYTES,
    SCORABLE_KINDS,
    WIKITEXT,
    SkipReason,
)
from revertrisk.lake.engine import quoted
from revertrisk.lake.event_rows import VISIBILITY_IS_READABLE, instant
from revertrisk.lake.tables import Change
from revertrisk.wiki.user_kinds import PRIVILEGED_GROUPS

AUTOPATROLLED_GROUPS: Final = frozenset({"autopatrolled", "autoreviewer", "bot", "sysop"})
"""Groups with the right `autopatrol`, by their names on Wikimedia's wikis."""

SKIP_REASON: Final = f"""CASE
    WHEN wiki_domain IS NULL OR meta.domain <> wiki_domain THEN '{SkipReason.UNKNOWN_WIKI}'
    WHEN NOT wiki_is_scorable THEN '{SkipReason.NOT_WIKIPEDIA}'
    WHEN page_change_kind NOT IN ({", ".join(quoted(kind) for kind in sorted(SCORABLE_KINDS))})
        THEN '{SkipReason.PAGE_CHANGE_KIND}'
    WHEN page.namespace_id <> {MAIN_NAMESPACE} THEN '{SkipReason.NAMESPACE}'
    WHEN page.is_redirect THEN '{SkipReason.REDIRECT}'
    WHEN NOT revision.is_content_visible THEN '{SkipReason.REVISION_HIDDEN}'
    WHEN revision.rev_parent_id = 0 OR (revision.rev_parent_id IS NULL AND page_change_kind = 'create')
        THEN '{SkipReason.NO_PARENT}'
    WHEN NOT parent.is_content_visible THEN '{SkipReason.PARENT_HIDDEN}'
    WHEN nullif(revision.rev_sha1, '') = parent.rev_sha1 THEN '{SkipReason.NULL_EDIT}'
    WHEN revision.content_slots.main.content_model <> '{WIKITEXT}' THEN '{SkipReason.CONTENT_MODEL}'
    WHEN greatest(coalesce(revision.rev_size, 0), coalesce(parent.rev_size, 0)) > {MAX_REVISION_BYTES}
        THEN '{SkipReason.TOO_LARGE}'
END"""
"""The rules of event_platform/page_change.py in the same order, as SQL; a test compares the two.

Python would take ten times as long. The wikis that a model supports are not known here.
"""


def _size(revision: str) -> str:
    """Return the size in bytes of a text; NULL if it cannot be one, so that views can subtract sizes."""
    return f"CASE WHEN {revision}.rev_size BETWEEN 0 AND {2**53} THEN {revision}.rev_size END"


def _one_of(groups: frozenset[str]) -> str:
    return f"list_has_any(author.groups, [{', '.join(quoted(group) for group in sorted(groups))}])"


_CLOCK_TOLERANCE: Final = "INTERVAL 1 DAY"
_HIDDEN_AT: Final = f"CASE WHEN meta_at < rev_at THEN rev_at + {_CLOCK_TOLERANCE} ELSE meta_at END"
"""A revision cannot be hidden before it is saved. If the times say so, the clock at the save was ahead."""

REVISIONS: Final = f"""
CREATE OR REPLACE TEMP TABLE revision_fact AS
SELECT
    change.day, change.wiki_id, changed_id AS rev_id, page.page_id AS page_id, meta.id AS meta_id,
    revision.rev_parent_id AS parent_id, rev_at AS dt, meta_at AS meta_dt, page_change_kind AS kind,
    page.namespace_id AS namespace_id, page.namespace_is_content AS is_content_namespace,
    page.is_redirect AS is_redirect, revision.is_minor_edit AS is_minor, {_size("revision")} AS rev_size,
    {_size("parent")} AS parent_size, nullif(revision.rev_sha1, '') = nullif(parent.rev_sha1, '') AS is_null_edit,
    {SKIP_REASON} AS skip_reason,
    coalesce(account.user_kind, 'unknown') AS user_kind, author.is_bot AS is_bot, author.is_system AS is_system,
    CASE
        WHEN author.edit_count IS NULL OR author.edit_count < 0 THEN 'unknown'
        WHEN author.edit_count = 0 THEN '0'
        WHEN author.edit_count < 10 THEN '1-9'
        WHEN author.edit_count < 100 THEN '10-99'
        WHEN author.edit_count < 500 THEN '100-499'
        ELSE '500+'
    END AS edit_bucket,
    CAST(date_trunc('month', {instant("author.registration_dt")}) AS DATE) AS registered_month,
    {_one_of(PRIVILEGED_GROUPS)} AS is_privileged,
    {_one_of(AUTOPATROLLED_GROUPS)} AS is_autopatrolled,
    account.actor_key AS actor_key,
    -- A meta.dt from a clock that is far ahead would be later than each hiding. Then the time of the change counts.
    CASE WHEN author IS NOT NULL AND meta_at > happened_at + {_CLOCK_TOLERANCE} THEN happened_at
        WHEN author IS NOT NULL THEN meta_at END AS author_dt,
    CASE
        WHEN hides_author THEN {_HIDDEN_AT}
        -- Edits of an erased actor from before the erasure: no later event adds the author again.
        WHEN rev_at <= account.erased_at THEN greatest(meta_at, account.erased_at)
    END AS author_hidden_dt
FROM change LEFT JOIN account ON account.number = change.number
UNION ALL BY NAME
SELECT
    CAST(rev_at AS DATE) AS day, "database" AS wiki_id, rev_id, page_id, rev_at AS dt, 'unknown' AS user_kind,
    'unknown' AS edit_bucket, {_HIDDEN_AT} AS author_hidden_dt
FROM event WHERE what = 'visibility' AND {VISIBILITY_IS_READABLE} AND NOT visibility."user"
"""

AUTHOR: Final = (
    "user_kind", "is_bot", "is_system", "edit_bucket", "registered_month", "is_privileged", "is_autopatrolled",
    "actor_key", "author_dt",
)  # fmt: skip
"""The columns that are cleared when the author is hidden."""
WITHOUT_AUTHOR: Final = {"user_kind": "'unknown'", "edit_bucket": "'unknown'"}
_OF_THE_EDIT: Final = (
    "parent_id", "meta_dt", "kind", "is_minor", "rev_size", "parent_size", "is_null_edit", "skip_reason",
)  # fmt: skip
"""The columns that come from the earliest event."""
_OF_THE_PAGE: Final = ("page_id", "namespace_id", "is_content_namespace", "is_redirect", "row_updated")
"""The columns that come from the newest event."""


def combined_revisions() -> str:
    """Return SQL that combines all rows of `revision_fact` about one revision into one row of `revised`."""
    chosen = ", ".join(
        [f"e.{name}" for name in _OF_THE_EDIT]
        + [f"n.{name}" for name in _OF_THE_PAGE if name not in {"row_updated", "page_id"}]
        + [f"a.{name}" for name in AUTHOR]
    )
    cleared = ", ".join(
        f"CASE WHEN is_known THEN {name} ELSE {WITHOUT_AUTHOR.get(name, 'NULL')} END AS {name}"
        for name in AUTHOR
    )
    order = "(meta_dt, coalesce(meta_id, ''))"
    # Most revisions have one row, and then each choice between rows is this row. To group rows takes much longer.
    return f"""
CREATE OR REPLACE TEMP TABLE revised AS
WITH repeated AS (
    SELECT day, wiki_id, rev_id FROM revision_fact GROUP BY day, wiki_id, rev_id HAVING count(*) > 1
), combined AS (
    SELECT * EXCLUDE (meta_id), meta_dt AS row_updated
    FROM revision_fact ANTI JOIN repeated USING (day, wiki_id, rev_id)
    UNION ALL BY NAME
    SELECT
        day, wiki_id, rev_id, coalesce(n.page_id, any_page_id) AS page_id, dt, {chosen}, author_hidden_dt,
        n.meta_dt AS row_updated
    FROM (
        SELECT
            day, wiki_id, rev_id, min(dt) AS dt, max(author_hidden_dt) AS author_hidden_dt,
            max(page_id) AS any_page_id,
            arg_min(revision_fact, {order}) FILTER (meta_dt IS NOT NULL) AS e,
            arg_max(revision_fact, {order}) FILTER (meta_dt IS NOT NULL) AS n,
            arg_max(revision_fact, (author_dt, coalesce(meta_id, ''))) FILTER (author_dt IS NOT NULL) AS a
        FROM revision_fact SEMI JOIN repeated USING (day, wiki_id, rev_id) GROUP BY day, wiki_id, rev_id
    )
)
SELECT * EXCLUDE (is_known) REPLACE ({cleared})
FROM (
    SELECT *, author_dt IS NOT NULL AND (author_hidden_dt IS NULL OR author_dt > author_hidden_dt) AS is_known
    FROM combined
)"""


def revision_change() -> Change:
    """Return how a merge changes a row of `revision`, and which rows; the order of the events makes no difference.

    Facts of the edit come from the earliest event, facts of the page from the newest. The author comes from the newest
    event with an author, if that is later than the last event that hid the author.
    """
    is_earlier = "(s.meta_dt IS NOT NULL AND (t.meta_dt IS NULL OR s.meta_dt < t.meta_dt))"
    is_newer = "(s.row_updated IS NOT NULL AND (t.row_updated IS NULL OR s.row_updated > t.row_updated))"
    is_hidden_later = (
        "(s.author_hidden_dt IS NOT NULL "
        "AND (t.author_hidden_dt IS NULL OR s.author_hidden_dt > t.author_hidden_dt))"
    )
    hidden = f"CASE WHEN {is_hidden_later} THEN s.author_hidden_dt ELSE t.author_hidden_dt END"
    visible = f"({hidden} IS NULL OR {{author}} > {hidden})"
    is_newer_author = "(s.author_dt IS NOT NULL AND (t.author_dt IS NULL OR s.author_dt > t.author_dt))"
    sets = f"({is_newer_author} AND {visible.format(author='s.author_dt')})"
    keeps = f"(t.author_dt IS NOT NULL AND {visible.format(author='t.author_dt')})"
    update = {"author_hidden_dt": hidden}
    update |= {name: f"CASE WHEN {is_earlier} THEN s.{name} ELSE t.{name} END" for name in _OF_THE_EDIT}
    update |= {name: f"CASE WHEN {is_newer} THEN s.{name} ELSE t.{name} END" for name in _OF_THE_PAGE}
    update |= {
        name: f"CASE WHEN {sets} THEN s.{name} WHEN {keeps} THEN t.{name} ELSE {WITHOUT_AUTHOR.get(name, 'NULL')} END"
        for name in AUTHOR
    }
    return Change(update, f"{is_earlier} OR {is_newer} OR {is_hidden_later} OR {sets}")
