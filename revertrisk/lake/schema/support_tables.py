"""The tables that are not about edits or predictions: bots, erasures, unreadable records, places of sources."""

from typing import Final

from revertrisk.lake.schema.columns import WIKI, Column, Table, Type

BOT: Final = Table(
    "bot",
    "Listed anti-vandalism bots. Queries join this table, so a bot that is listed later is also named in old rows.",
    ("wiki_id", "actor_key"),
    (
        WIKI,
        Column(
            "actor_key", Type.VARCHAR, "The actor key of the bot's name.", "the list, with the lake's key"
        ),
        Column("name", Type.VARCHAR, "The bot's name.", "the list"),
        Column("valid_from", Type.DATE, "The first day on which it ran; null for no limit.", "the list"),
        Column("valid_to", Type.DATE, "The last day on which it ran; null if it still runs.", "the list"),
        Column(
            "acts_on",
            Type.VARCHAR,
            "What it reacts to. `model`: scores of a revert risk model, so its reverts depend on predictions. `rules`: "
            "anything else, including a model of its own.",
            "the list",
        ),
    ),
)
ERASURE: Final = Table(
    "erasure",
    "A record of what `revertrisk lake erase` erased, so that a copy of an old event does not add it again.",
    ("erased_key",),
    (
        Column(
            "erased_key",
            Type.VARCHAR,
            "Keyed hash (HMAC-SHA-256, hexadecimal) of what was erased. No other column has this value.",
            "the command, with the lake's key",
        ),
        Column("what", Type.VARCHAR, "`actor`, `page` or `revision`.", "the command"),
        Column("erased", Type.TIMESTAMP, "When it was last erased.", "the clock"),
    ),
)
UNREADABLE: Final = Table(
    "unreadable",
    "Records that are not an event, are invalid or have an unknown schema. Their content is not stored.",
    ("source", "place"),
    (
        Column("source", Type.VARCHAR, "The source's name and partition.", "the source"),
        Column("place", Type.BIGINT, "The line number or offset.", "the source"),
        Column(
            "reason", Type.VARCHAR, "Why it is unreadable, as one of a fixed set of values.", "the reader"
        ),
        Column("sha256", Type.VARCHAR, "SHA-256 of the record's bytes, in hexadecimal.", "the record"),
    ),
)
PLACE: Final = Table(
    "place",
    "How far each source has been read. Each batch writes this table last.",
    ("source",),
    (
        Column("source", Type.VARCHAR, "The name of the source.", "the source"),
        Column("place", Type.VARCHAR, "The place from which the source is resumed.", "the source"),
        Column(
            "watermark",
            Type.TIMESTAMP,
            "The latest meta.dt of page_change events in the batches with this source. Reverts are known up to this "
            "time. Times of 5 minutes or more ahead of the writer's clock are ignored.",
            "meta.dt of page_change, canaries included",
        ),
        Column(
            "edited",
            Type.TIMESTAMP,
            "The median save time of the edits in the source's last batch with edits. It is long ago while an old "
            "export is read.",
            "revision.rev_dt of kinds `edit` and `create`",
        ),
        Column("updated", Type.TIMESTAMP, "When the batch was written.", "the writer's clock"),
    ),
)
