"""The tables of the lake, declared once: the writer, the views' tests and docs/lake.md are made from this.

Every type is one that DuckDB, Spark, Trino and Delta read alike: BIGINT and never UBIGINT (Spark makes it a decimal),
TIMESTAMP WITH TIME ZONE and never a plain TIMESTAMP (Spark makes it one without zone). Columns are only ever added, and
may be null; a change of FORMAT's first number means that an older program must not touch the lake.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FORMAT: Final = "1.0"
"""Major and minor version of the tables below; a newer minor one is read, a newer major one refused."""


class Type(StrEnum):
    """A column's type, by its name in SQL."""

    BIGINT = "BIGINT"
    DOUBLE = "DOUBLE"
    BOOLEAN = "BOOLEAN"
    VARCHAR = "VARCHAR"
    TIMESTAMP = "TIMESTAMP WITH TIME ZONE"
    """An instant, kept in UTC with microseconds."""
    DATE = "DATE"


DELTA_TYPES: Final = {
    Type.BIGINT: "long",
    Type.DOUBLE: "double",
    Type.BOOLEAN: "boolean",
    Type.VARCHAR: "string",
    Type.TIMESTAMP: "timestamp",
    Type.DATE: "date",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it holds, in which unit, and where it comes from."""

    name: str
    type: Type
    meaning: str
    source: str
    """A path in an event, or how it is derived."""


@dataclass(frozen=True, slots=True)
class Table:
    """One Delta table."""

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partition: str | None = None
    """The column that the files are divided by: a day, or the first day of a month."""

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def statistics_columns(self) -> tuple[str, ...]:
        """Columns whose least and greatest values stand in Delta's log: ids and times only.

        The log outlives the rows, so nothing that can name a person or a page may be in it.
        """
        kept = {Type.BIGINT, Type.TIMESTAMP}
        return tuple(each.name for each in self.columns if each.type in kept or each.name == "wiki_id")


def _of_day(source: str) -> Column:
    return Column("day", Type.DATE, "The day (UTC) by which the files are divided.", f"{source}, its day")


def _of_month(source: str) -> Column:
    return Column(
        "month",
        Type.DATE,
        "The first day of the month (UTC) by which the files are divided.",
        f"{source}, its month",
    )


_WIKI: Final = Column("wiki_id", Type.VARCHAR, "The wiki's database name, such as `enwiki`.", "wiki_id")
_REV: Final = Column("rev_id", Type.BIGINT, "The revision's id, unique within its wiki.", "revision.rev_id")
_PAGE: Final = Column("page_id", Type.BIGINT, "The page's id, unique within its wiki.", "page.page_id")
_ACTOR: Final = Column(
    "actor_key",
    Type.VARCHAR,
    "HMAC-SHA-256 of wiki and user name, in hexadecimal; null where the author is hidden, unknown or erased, and after "
    "90 days.",
    "revision.editor.user_text (on edit and create else performer.user_text), with the lake's key",
)
_KIND_OF_USER: Final = Column(
    "user_kind",
    Type.VARCHAR,
    "`registered`, `temporary`, `ip` or `unknown` (hidden, or not told).",
    "revision.editor, by the one rule of the project",
)

_PREDICTION: Final = (
    _WIKI,
    _REV,
    Column(
        "page_change_kind",
        Type.VARCHAR,
        "What happened to the page; a backfill says `edit` also where the live event said `move` or `undelete`.",
        "page_change_kind",
    ),
    Column("model_name", Type.VARCHAR, "The model.", "predicted_classification.model_name"),
    Column(
        "model_version",
        Type.VARCHAR,
        "The model's version. Scores of two versions are not comparable.",
        "predicted_classification.model_version",
    ),
    _PAGE,
    Column(
        "probability",
        Type.DOUBLE,
        "Probability from 0 to 1 that the edit is reverted.",
        "predicted_classification.probabilities.true",
    ),
    Column(
        "predicted",
        Type.BOOLEAN,
        "Whether `true` is the likelier class: a cut at one half, no operating decision.",
        "predicted_classification.predictions",
    ),
    Column(
        "rev_dt",
        Type.TIMESTAMP,
        "When the revision was saved; on an undelete long before `dt`.",
        "revision.rev_dt",
    ),
    Column("dt", Type.TIMESTAMP, "When the page changed.", "dt"),
    Column("meta_dt", Type.TIMESTAMP, "When EventGate took the prediction.", "meta.dt"),
    Column("meta_id", Type.VARCHAR, "The prediction event's id, the same for every duplicate.", "meta.id"),
    Column("stream", Type.VARCHAR, "The stream that brought the row first.", "meta.stream"),
    Column(
        "version_rank",
        Type.VARCHAR,
        "Sorts as model versions do: runs of digits count as numbers.",
        "derived from model_version",
    ),
    Column(
        "precedence",
        Type.VARCHAR,
        "The greatest of a revision and model is the one that counts: the latest version, then live before backfill.",
        "derived from model_version, the table and page_change_kind",
    ),
)
_PREDICTION_KEY: Final = ("wiki_id", "rev_id", "page_change_kind", "model_name", "model_version")

PREDICTION: Final = Table(
    "prediction",
    "Live predictions of every model, one row for each natural key.",
    _PREDICTION_KEY,
    (_of_day("revision.rev_dt"), *_PREDICTION),
    "day",
)
PREDICTION_BACKFILL: Final = Table(
    "prediction_backfill",
    "Predictions of the past, from streams that end in `.backfill`.",
    _PREDICTION_KEY,
    (_of_month("revision.rev_dt"), *_PREDICTION),
    "month",
)
PREDICTION_SHADOW: Final = Table(
    "prediction_shadow",
    "Predictions of models on trial, from streams that end in `.shadow`. No view reads it.",
    _PREDICTION_KEY,
    (_of_day("revision.rev_dt"), *_PREDICTION),
    "day",
)
REVISION: Final = Table(
    "revision",
    "Every revision that a page_change event named, with the facts of the moment of its edit. A row whose `kind` is "
    "null is known only from its hiding.",
    ("wiki_id", "rev_id"),
    (
        _of_day("revision.rev_dt"),
        _WIKI,
        _REV,
        _PAGE,
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
        _KIND_OF_USER,
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
        _ACTOR,
        Column(
            "author_dt",
            Type.TIMESTAMP,
            "When an event last told the author; null where none did, or the author is hidden.",
            "meta.dt; dt where meta.dt is more than a day later",
        ),
        Column(
            "author_hidden_dt",
            Type.TIMESTAMP,
            "When an event last said that the author is hidden. What an earlier event told of the author is not kept.",
            "meta.dt of page_change with is_editor_visible false, or of revision-visibility-change; never before "
            "revision.rev_dt",
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
        _of_day("revision.rev_dt"),
        _WIKI,
        Column("rev_id", Type.BIGINT, "The reverting revision.", "revision.rev_id"),
        _PAGE,
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
        _ACTOR,
        _KIND_OF_USER,
    ),
    "day",
)
REVERTED: Final = Table(
    "reverted",
    "Edits that were undone, with the first revert of each: revisions of the page from `oldest_id` to `newest_id` of a "
    "revert. Derived from `revision` and `revert` by the writer.",
    ("wiki_id", "rev_id"),
    (
        _of_day("dt of the reverted edit"),
        _WIKI,
        Column("rev_id", Type.BIGINT, "The edit that was undone.", "revision"),
        _PAGE,
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
        _of_month("dt"),
        _WIKI,
        _PAGE,
        Column("event_dt", Type.TIMESTAMP, "When it happened.", "dt"),
        Column("rev_id", Type.BIGINT, "The page's revision at that time.", "revision.rev_id"),
        Column("kind", Type.VARCHAR, "What happened.", "page_change_kind"),
        Column("title", Type.VARCHAR, "The title with its prefix and underscores.", "page.page_title"),
        Column("namespace_id", Type.BIGINT, "The namespace.", "page.namespace_id"),
    ),
    "month",
)
BOT: Final = Table(
    "bot",
    "Anti-vandalism bots from a list; joined at read time, so a bot that is listed later is named in old rows.",
    ("wiki_id", "actor_key"),
    (
        _WIKI,
        Column("actor_key", Type.VARCHAR, "The key of the bot's name.", "the list, with the lake's key"),
        Column("name", Type.VARCHAR, "The bot's name.", "the list"),
        Column("valid_from", Type.DATE, "The first day on which it ran; null: always.", "the list"),
        Column("valid_to", Type.DATE, "The last day on which it ran; null: still.", "the list"),
        Column(
            "acts_on",
            Type.VARCHAR,
            "`model`: it acts on scores of a revert risk model, so its reverts follow from predictions; `rules`: on "
            "anything else, a model of its own included.",
            "the list",
        ),
    ),
)
ERASURE: Final = Table(
    "erasure",
    "What `revertrisk lake erase` erased, so that a copy of an old event does not bring it back.",
    ("erased_key",),
    (
        Column(
            "erased_key",
            Type.VARCHAR,
            "HMAC-SHA-256 of what was erased, in hexadecimal; no other column of the lake has it.",
            "the command, with the lake's key",
        ),
        Column("what", Type.VARCHAR, "`actor`, `page` or `revision`.", "the command"),
        Column("erased", Type.TIMESTAMP, "When it was erased last.", "the clock"),
    ),
)
UNREADABLE: Final = Table(
    "unreadable",
    "Records that could not be taken in, without their body.",
    ("source", "place"),
    (
        Column("source", Type.VARCHAR, "The source's name and partition.", "the source"),
        Column("place", Type.BIGINT, "The line or offset.", "the source"),
        Column("reason", Type.VARCHAR, "Why: a closed set.", "the reader"),
        Column("sha256", Type.VARCHAR, "SHA-256 of the record's bytes, in hexadecimal.", "the record"),
    ),
)
PLACE: Final = Table(
    "place",
    "How far each source has been taken in. Written last in each batch.",
    ("source",),
    (
        Column("source", Type.VARCHAR, "The source, as it was named.", "the source"),
        Column("place", Type.VARCHAR, "What the source is resumed with.", "the source"),
        Column(
            "watermark",
            Type.TIMESTAMP,
            "The greatest meta.dt of the page_change events that came with this source's: how far it is known what was "
            "reverted. No time that is 5 minutes or more ahead of the writer's clock.",
            "meta.dt of page_change, canaries included",
        ),
        Column(
            "edited",
            Type.TIMESTAMP,
            "The median time of saving of the edits of the source's last batch that had any: in the past while an old "
            "export is read.",
            "revision.rev_dt of kinds `edit` and `create`",
        ),
        Column("updated", Type.TIMESTAMP, "When the batch was written.", "the writer's clock"),
    ),
)

TABLES: Final = (
    PREDICTION,
    PREDICTION_BACKFILL,
    PREDICTION_SHADOW,
    REVISION,
    REVERT,
    REVERTED,
    PAGE_EVENT,
    BOT,
    ERASURE,
    UNREADABLE,
    PLACE,
)
