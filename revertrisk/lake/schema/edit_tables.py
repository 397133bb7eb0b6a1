"""The tables of edits: revisions, reverts, what was reverted, and what happened to pages."""

from typing import Final

from revertrisk.lake.schema.columns import (
    ACTOR,
    KIND_OF_USER,
    PAGE,
    REV,
    WIKI,
    Column,
    Table,
    Type,
    of_day,
    of_month,
)

REVISION: Final = Table(
    "revision",
    "Every revision that a page_change event named, with the facts of the moment of its edit. A row whose `kind` is "
    "null is known only from its hiding.",
    ("wiki_id", "rev_id"),
    (
        of_day("revision.rev_dt"),
        WIKI,
        REV,
        PAGE,
        Column(
            "parent_id", Type.BIGINT, "The revision before, 0 for the page's first.", "revision.rev_parent_id"
        ),
        Column("dt", Type.TIMESTAMP, "When the revision was saved.", "revision.rev_dt"),
        Column(
            "meta_dt",
            Type.TIMESTAMP,
            "When EventGate took the revision's earliest event; freshness is counted from here.",
            "meta.dt, the least",
        ),
        Column("kind", Type.VARCHAR, "What the earliest event said happened.", "page_change_kind"),
        Column(
            "namespace_id", Type.BIGINT, "The page's namespace, by the newest event.", "page.namespace_id"
        ),
        Column(
            "is_content_namespace",
            Type.BOOLEAN,
            "Whether the wiki counts that namespace as content.",
            "page.namespace_is_content",
        ),
        Column(
            "is_redirect",
            Type.BOOLEAN,
            "Whether the page was a redirect, by the newest event.",
            "page.is_redirect",
        ),
        Column(
            "is_minor", Type.BOOLEAN, "Whether the author called the edit minor.", "revision.is_minor_edit"
        ),
        Column("rev_size", Type.BIGINT, "Length of the text in bytes.", "revision.rev_size"),
        Column(
            "parent_size",
            Type.BIGINT,
            "Length of the parent's text in bytes; null where the event does not tell of the parent.",
            "prior_state.revision.rev_size",
        ),
        Column(
            "is_null_edit",
            Type.BOOLEAN,
            "Whether the text is the parent's; null where the event does not tell.",
            "revision.rev_sha1 = prior_state.revision.rev_sha1",
        ),
        Column(
            "skip_reason",
            Type.VARCHAR,
            "Why a server would not score the revision, by what the event says; null where nothing speaks against it.",
            "the reasons of event_platform/page_change.py",
        ),
        KIND_OF_USER,
        Column("is_bot", Type.BOOLEAN, "Whether the account is in a bot group.", "revision.editor.is_bot"),
        Column("is_system", Type.BOOLEAN, "Whether the software itself edited.", "revision.editor.is_system"),
        Column(
            "edit_bucket",
            Type.VARCHAR,
            "Edits of the account before: `0`, `1-9`, `10-99`, `100-499`, `500+` or `unknown`.",
            "revision.editor.edit_count",
        ),
        Column(
            "registered_month",
            Type.DATE,
            "First day of the month in which the account was made.",
            "revision.editor.registration_dt",
        ),
        Column(
            "is_privileged",
            Type.BOOLEAN,
            "Whether the account is in a group that somebody must grant.",
            "revision.editor.groups",
        ),
        Column(
            "is_autopatrolled",
            Type.BOOLEAN,
            "Whether the account's edits count as patrolled.",
            "revision.editor.groups",
        ),
        ACTOR,
        Column(
            "author_dt",
            Type.TIMESTAMP,
            "meta.dt of the event that told the author; null where none did, or the author is hidden.",
            "meta.dt",
        ),
        Column(
            "author_hidden_dt",
            Type.TIMESTAMP,
            "When an event last said that the author is hidden. What an earlier event told of the author is not kept.",
            "meta.dt of page_change with is_editor_visible false, or of revision-visibility-change",
        ),
        Column(
            "row_updated",
            Type.TIMESTAMP,
            "meta.dt of the newest event of the revision.",
            "meta.dt, the greatest",
        ),
    ),
    "day",
)
REVERT: Final = Table(
    "revert",
    "Edits that undid others, as MediaWiki recognised them.",
    ("wiki_id", "rev_id"),
    (
        of_day("revision.rev_dt"),
        WIKI,
        Column("rev_id", Type.BIGINT, "The reverting revision.", "revision.rev_id"),
        PAGE,
        Column("method", Type.VARCHAR, "`rollback`, `undo` or `manual`.", "revision.revert.method"),
        Column(
            "is_exact",
            Type.BOOLEAN,
            "Whether the text is exactly an earlier one.",
            "revision.revert.is_exact",
        ),
        Column(
            "original_id", Type.BIGINT, "The revision that was restored.", "revision.revert.rev_original_id"
        ),
        Column(
            "oldest_id",
            Type.BIGINT,
            "The first revision that was undone; null where the event does not tell.",
            "revision.revert.rev_reverted_oldest_id",
        ),
        Column(
            "newest_id",
            Type.BIGINT,
            "The last revision that was undone; null where the event does not tell.",
            "revision.revert.rev_reverted_newest_id",
        ),
        Column("dt", Type.TIMESTAMP, "When the reverting revision was saved.", "revision.rev_dt"),
        ACTOR,
        KIND_OF_USER,
    ),
    "day",
)
REVERTED: Final = Table(
    "reverted",
    "Edits that were undone, with the first revert of each: revisions of the page from `oldest_id` to `newest_id` of a "
    "revert. Derived from `revision` and `revert` by the writer.",
    ("wiki_id", "rev_id"),
    (
        of_day("dt of the reverted edit"),
        WIKI,
        Column("rev_id", Type.BIGINT, "The edit that was undone.", "revision"),
        PAGE,
        Column(
            "first_revert_id", Type.BIGINT, "The first revision that undid it.", "revert, the earliest dt"
        ),
        Column(
            "seconds_to_revert",
            Type.DOUBLE,
            "Seconds from the edit to its first revert.",
            "revert.dt - revision.dt",
        ),
        Column(
            "is_self",
            Type.BOOLEAN,
            "Whether the author undid it; null where one of both is not known.",
            "actor_key of both",
        ),
        Column(
            "by_bot", Type.BOOLEAN, "Whether a bot group's account undid it.", "revision.is_bot of the revert"
        ),
        Column("reverter_kind", Type.VARCHAR, "The kind of user who undid it.", "revert.user_kind"),
        Column(
            "revert_reverted_at",
            Type.TIMESTAMP,
            "When that first revert was itself undone first; null where it stands.",
            "revert, the earliest over first_revert_id",
        ),
        Column(
            "by_base_editor",
            Type.BOOLEAN,
            "Whether the author of the edit undid the revert; null where it stands or one of both is not known.",
            "actor_key of both",
        ),
    ),
    "day",
)
PAGE_EVENT: Final = Table(
    "page_event",
    "What happened to each page; a page's title is that of its newest row. Titles are nulled when the page is deleted.",
    ("wiki_id", "page_id", "event_dt", "rev_id", "kind"),
    (
        of_month("dt"),
        WIKI,
        PAGE,
        Column("event_dt", Type.TIMESTAMP, "When it happened.", "dt"),
        Column("rev_id", Type.BIGINT, "The page's revision at that time.", "revision.rev_id"),
        Column("kind", Type.VARCHAR, "What happened.", "page_change_kind"),
        Column("title", Type.VARCHAR, "The title with its prefix and underscores.", "page.page_title"),
        Column("namespace_id", Type.BIGINT, "The namespace.", "page.namespace_id"),
    ),
    "month",
)
