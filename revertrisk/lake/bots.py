"""Writes the list of anti-vandalism bots into the lake, under the keys of their names."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from revertrisk.lake.engine import make_table, new_engine
from revertrisk.lake.errors import LakeConfigurationError
from revertrisk.lake.schema import BOT
from revertrisk.lake.tables import Change, Lake, merge


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """One bot on one wiki."""

    wiki_id: str
    name: str
    valid_from: date | None = None
    """The first day on which it ran; None: always."""
    valid_to: date | None = None
    """The last day on which it ran; None: still."""
    acts_on: str = "rules"
    """``rules`` or ``model``: what it decides by."""


def write_bots(lake: Lake, bots: Iterable[Bot]) -> int:
    """Add the bots to the lake, or change what it says of them; returns how many rows that made.

    Raises:
        LakeError: the lake cannot be written, or was opened without its key.

    """
    if lake.actor_keys is None:
        raise LakeConfigurationError(f"{lake.root}: the lake was opened without its key")
    rows = [
        {
            "wiki_id": bot.wiki_id,
            "actor_key": lake.actor_keys.of(bot.wiki_id, bot.name),
            "name": bot.name,
            "valid_from": bot.valid_from,
            "valid_to": bot.valid_to,
            "acts_on": bot.acts_on,
        }
        for bot in bots
    ]
    engine = new_engine()
    try:
        columns = {each.name: each.type for each in BOT.columns}
        update = {name: f"s.{name}" for name in BOT.column_names if name not in BOT.key}
        return merge(lake, BOT, make_table(engine, "bots", rows, columns), (), Change(update))
    finally:
        engine.close()
