"""The tables beside edits and predictions: bots, erasures, unreadable records, and places of sources."""

from typing import Final

from revertrisk.lake.schema.columns import WIKI, Column, Table, Type

BOT: Final = Table(
    "bot",
    "Anti-vandalism bots from a list; joined at read time, so a bot that is listed later is named in old rows.",
    ("wiki_id", "actor_key"),
    (
        WIKI,
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
