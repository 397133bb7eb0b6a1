"""The tables of edits: revisions, reverts, reverted edits, and events of pages."""

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
    "All revisions in page_change events, with the facts at the time of the edit. If `kind` is null, the lake has only "
    "an event that hid the revision's author.",
    ("wiki_id", "rev_id"),
    (
        of_day("revision.rev_dt"),
        WIKI,
        REV,
        PAGE,
        Column(
            "parent_id",
            Type.BIGINT,
            "The previous revision; 0 for the first revision of a page.",
            "revision.rev_parent_id",
        ),
        Column("dt", Type.TIMESTAMP, "When the revision was saved.", "revision.rev_dt"),
        Column(
            "meta_dt",
            Type.TIMESTAMP,
            "When EventGate accepted the revision's earliest event. The delay of a prediction counts from here.",
            "meta.dt, the earliest",
        ),
        Column("kind", Type.VARCHAR, "The kind of page change in the earliest event.", "page_change_kind"),
        Column("namespace_id", Type.BIGINT, "The page's namespace in the newest event.", "page.namespace_id"),
        Column(
            "is_content_namespace",
            Type.BOOLEAN,
            "Whether the wiki counts that namespace as content.",
            "page.namespace_is_content",
        ),
        Column(
            "is_redirect",
            Type.BOOLEAN,
            "Whether the page is a redirect in the newest event.",
            "page.is_redirect",
        ),
        Column(
            "is_minor", Type.BOOLEAN, "Whether the author marked the edit as minor.", "revision.is_minor_edit"
        ),
        Column("rev_size", Type.BIGINT, "Size of the text in bytes.", "revision.rev_size"),
        Column(
            "parent_size",
            Type.BIGINT,
            "Size of the parent's text in bytes; null if the event does not contain it.",
            "prior_state.revision.rev_size",
        ),
        Column(
            "is_null_edit",
            Type.BOOLEAN,
            "Whether the text is the same as the parent's; null if the event does not contain both hashes.",
            "revision.rev_sha1 = prior_state.revision.rev_sha1",
        ),
        Column(
            "skip_reason",
            Type.VARCHAR,
            "Why the model server would skip the revision, by the event alone; null if the event has no reason.",
            "the rules of revertrisk/event_platform/page_change.py",
        ),
        KIND_OF_USER,
        Column("is_bot", Type.BOOLEAN, "Whether the account is in a bot group.", "revision.editor.is_bot"),
        Column(
            "is_system", Type.BOOLEAN, "Whether MediaWiki itself made the edit.", "revision.editor.is_system"
        ),
        Column(
            "edit_bucket",
            Type.VARCHAR,
            "Earlier edits of the account: `0`, `1-9`, `10-99`, `100-499`, `500+` or `unknown`.",
            "revision.editor.edit_count",
        ),
        Column(
            "registered_month",
            Type.DATE,
            "First day of the month in which the account was registered.",
            "revision.editor.registration_dt",
        ),
        Column(
            "is_privileged",
            Type.BOOLEAN,
            "Whether the account is in a group that is granted by hand, not automatically.",
            "revision.editor.groups",
        ),
        Column(
            "is_autopatrolled",
            Type.BOOLEAN,
            "Whether edits of the account are marked as patrolled automatically.",
            "revision.editor.groups",
        ),
        ACTOR,
        Column(
            "author_dt",
            Type.TIMESTAMP,
            "Time of the event with the author; null if no event has the author, or the author is hidden.",
            "meta.dt; dt if meta.dt is more than a day later",
        ),
        Column(
            "author_hidden_dt",
            Type.TIMESTAMP,
            "When the author was last hidden. The author in an earlier event is not stored.",
            "meta.dt of page_change with is_editor_visible false, or of revision-visibility-change; never before "
            "revision.rev_dt",
        ),
        Column(
            "row_updated",
            Type.TIMESTAMP,
            "meta.dt of the newest event of the revision.",
            "meta.dt, the latest",
        ),
    ),
    "day",
)
REVERT: Final = Table(
    "revert",
    "Edits that MediaWiki recognised as reverts.",
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
            "Whether the text is exactly that of an earlier revision.",
            "revision.revert.is_exact",
        ),
        Column(
            "original_id", Type.BIGINT, "The revision that was restored.", "revision.revert.rev_original_id"
        ),
        Column(
            "oldest_id",
            Type.BIGINT,
            "The first revision that was undone; null if the event does not contain it.",
            "revision.revert.rev_reverted_oldest_id",
        ),
        Column(
            "newest_id",
            Type.BIGINT,
            "The last revision that was undone; null if the event does not contain it.",
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
    "Edits that were undone, with their first revert. A revert undoes the revisions of its page from `oldest_id` to "
    "`newest_id` that were saved before it. The writer derives this table from `revision` and `revert`.",
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
            "Whether the author undid the edit; null if either user is unknown.",
            "actor_key of both",
        ),
        Column(
            "by_bot",
            Type.BOOLEAN,
            "Whether an account in a bot group undid it.",
            "revision.is_bot of the revert",
        ),
        Column("reverter_kind", Type.VARCHAR, "The kind of user who undid it.", "revert.user_kind"),
        Column(
            "revert_reverted_at",
            Type.TIMESTAMP,
            "When that first revert was first undone; null if it was not undone.",
            "revert, the earliest that undid first_revert_id",
        ),
        Column(
            "by_base_editor",
            Type.BOOLEAN,
            "Whether the author of the edit undid the revert; null if it was not undone or either user is unknown.",
            "actor_key of both",
        ),
    ),
    "day",
)
PAGE_EVENT: Final = Table(
    "page_event",
    "The events of each page. The title in the newest row is the present one. Titles become null when the page is "
    "deleted.",
    ("wiki_id", "page_id", "event_dt", "rev_id", "kind"),
    (
        of_month("dt"),
        WIKI,
        PAGE,
        Column("event_dt", Type.TIMESTAMP, "When it happened.", "dt"),
        Column("rev_id", Type.BIGINT, "The latest revision of the page at that time.", "revision.rev_id"),
        Column("kind", Type.VARCHAR, "The kind of page change.", "page_change_kind"),
        Column("title", Type.VARCHAR, "The title, with namespace prefix and underscores.", "page.page_title"),
        Column("namespace_id", Type.BIGINT, "The namespace.", "page.namespace_id"),
    ),
    "month",
)
