"""The list of anti-vandalism bots: read from YAML, and stored in the lake with the actor keys of their names.

Queries join rows of the lake to the list. So a bot that is added later is also named in older rows, if these still have
their actor keys.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from revertrisk.lake.engine import make_table, new_engine, reports_damage, table_relation
from revertrisk.lake.errors import LakeConfigurationError, LakeUsageError
from revertrisk.lake.key import as_user_name
from revertrisk.lake.schema import BOT, REVERT
from revertrisk.lake.tables import Lake, replace
from revertrisk.runtime.validation import explain
from revertrisk.runtime.yaml_documents import YamlError, parse_yaml
from revertrisk.wiki.table import WikiTable


def _as_day(value: object) -> object:
    """Accept only a day; pydantic alone would also convert a year or a number of seconds."""
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        day = None
    if type(day) is not date:
        raise ValueError("expected a day such as 2026-11-21")
    return day


def _as_user_name(value: str) -> str:
    name = as_user_name(value)
    # MediaWiki allows no colon in a user name. YAML can write half of a UTF-16 pair, which is no text.
    if not name or ":" in name or any("\ud800" <= each <= "\udfff" for each in name):
        raise ValueError("expected a user name without a namespace, such as ClueBot NG")
    return name


Day = Annotated[date, BeforeValidator(_as_day)]


class Bot(BaseModel):
    """One bot on one wiki."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wiki_id: str
    name: Annotated[str, AfterValidator(_as_user_name)]
    valid_from: Day | None = None
    """The first day on which it ran; None for no limit."""
    valid_to: Day | None = None
    """The last day on which it ran; None if it still runs."""
    acts_on: Literal["rules", "model"] = "rules"
    """What it reacts to. ``model``: scores of a revert risk model; ``rules``: anything else."""


class _BotList(BaseModel):
    model_config = ConfigDict(extra="forbid")

    bots: tuple[Bot, ...]


@dataclass(frozen=True, slots=True)
class BotReverts:
    """The reverts of a listed bot in a lake."""

    bot: str
    """Wiki id and name, separated by a space."""
    reverts: int
    """The number of its reverts."""
    first: date | None
    """The day of its first revert; None if it has none."""
    last: date | None
    """The day of its last revert; None if it has none."""


SHIPPED: Final = "bots.yaml"


def shipped_bots() -> tuple[Bot, ...]:
    """Return the list that is part of the program."""
    return parse_bots(files("revertrisk.lake").joinpath(SHIPPED).read_text(encoding="utf-8"), SHIPPED)


def read_bots(path: Path) -> tuple[Bot, ...]:
    """Read a list from a file.

    Raises:
        LakeUsageError: the file cannot be read, or an entry is invalid; the message has a line for each problem.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise LakeUsageError(f"{path}: cannot be read: {reason}") from exc
    return parse_bots(text, str(path))


def parse_bots(text: str, name: str) -> tuple[Bot, ...]:
    """Read a list from YAML; errors begin with ``name``. Raises what `read_bots` raises."""
    try:
        bots = _BotList.model_validate(parse_yaml(text)).bots
    except YamlError as exc:
        raise LakeUsageError(f"{name}: is not YAML: {exc}") from exc
    except ValidationError as exc:
        raise LakeUsageError("\n".join(f"{name}: {problem}" for problem in explain(exc))) from exc
    if problems := list(_problems(bots)):
        raise LakeUsageError("\n".join(f"{name}: {problem}" for problem in problems))
    return bots


def _problems(bots: Sequence[Bot]) -> Iterable[str]:
    wikis = WikiTable.load()
    seen: dict[tuple[str, str], int] = {}
    for number, bot in enumerate(bots):
        if wikis.by_id(bot.wiki_id) is None:
            yield f"bots[{number}].wiki_id: expected the id of a wiki, such as enwiki, not {bot.wiki_id!r}"
        if bot.valid_from is not None and bot.valid_to is not None and bot.valid_to < bot.valid_from:
            yield f"bots[{number}].valid_to: expected the day valid_from or a later one"
        first = seen.setdefault((bot.wiki_id, bot.name), number)
        if first != number:
            yield f"bots[{number}]: the same bot as bots[{first}]"


@reports_damage
def write_bots(lake: Lake, bots: Iterable[Bot]) -> bool:
    """Replace the lake's list of bots in one commit; return whether the new list differs from the old one.

    Raises:
        LakeError: the lake cannot be written, or was opened without its key.

    """
    if lake.actor_keys is None:
        raise LakeConfigurationError(f"{lake.root}: the lake was opened without its key")
    rows = [
        {**bot.model_dump(), "actor_key": lake.actor_keys.of(bot.wiki_id, bot.name)}
        for bot in sorted(bots, key=lambda each: (each.wiki_id, each.name))
    ]
    engine = new_engine()
    try:
        columns = {each.name: each.type for each in BOT.columns}
        listed = make_table(engine, "listed", rows, columns)
        table_relation(engine, lake, BOT).create_view("known")
        differing = "(FROM listed EXCEPT FROM known) UNION ALL (FROM known EXCEPT FROM listed)"
        if not engine.execute(f"SELECT count(*) FROM ({differing})").fetchall()[0][0]:
            return False
        replace(lake, BOT, listed)
        return True
    finally:
        engine.close()


def has_list(lake: Lake) -> bool:
    """Return whether a list of bots was ever written into the lake, even an empty one; raises LakeError."""
    return lake.table(BOT).version() > 0


def list_shipped_bots(lake: Lake) -> None:
    """Write the program's list if the lake never had one; the keys of bots that are not listed are removed with age.

    Raises:
        LakeError: the lake cannot be written, or was opened without its key.

    """
    if not has_list(lake):
        write_bots(lake, shipped_bots())


@reports_damage
def reverts_of_bots(lake: Lake) -> tuple[list[BotReverts], date | None]:
    """Return the reverts of each listed bot, and the last day whose actor keys were removed (None if there is none).

    Raises:
        LakeError: a table cannot be opened.

    """
    engine = new_engine()
    try:
        table_relation(engine, lake, BOT).create_view("bot")
        table_relation(engine, lake, REVERT).create_view("revert")
        rows = engine.execute(
            "SELECT b.wiki_id || ' ' || b.name, count(u.rev_id), min(u.day), max(u.day) "
            "FROM bot b LEFT JOIN revert u ON u.wiki_id = b.wiki_id AND u.actor_key = b.actor_key "
            "AND (b.valid_from IS NULL OR u.day >= b.valid_from) AND (b.valid_to IS NULL OR u.day <= b.valid_to) "
            "GROUP BY b.wiki_id, b.name ORDER BY b.wiki_id, b.name"
        ).fetchall()
        # A hidden author has no known kind. So a row with a known kind and no key had a key that was removed by age.
        forgotten = engine.execute(
            "SELECT max(day) FROM revert WHERE actor_key IS NULL AND user_kind <> 'unknown'"
        ).fetchall()
        return [BotReverts(*row) for row in rows], forgotten[0][0]
    finally:
        engine.close()
