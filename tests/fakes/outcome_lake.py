"""A lake of made edits whose fate is planted: reverts by people and bots, early and late, self-reverts, deletions."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from revertrisk.lake.bots import Bot, write_bots
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.tables import Lake
from tests.fakes.lake_events import (
    LANGUAGE_AGNOSTIC,
    MULTILINGUAL,
    START,
    Edit,
    as_lines,
    page_change,
    prediction,
)
from tests.fakes.lakes import write_lines

BOT_OF_RULES: Final = "PatrolBot"
BOT_OF_MODEL: Final = "ScoreBot"
BOTS: Final = ("enwiki", "dewiki")
_ACTS_ON: Final[dict[str, Literal["rules", "model"]]] = {BOT_OF_RULES: "rules", BOT_OF_MODEL: "model"}
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Made:
    """One edit: when (seconds since `START`), who, its scores, and what it undoes."""

    wiki_id: str
    page_id: int
    after_s: float
    user: dict[str, Any]
    probability: float
    other_probability: float
    parent: int = 1
    undoes: int | None = None
    """The place of another edit in the list."""


def account(
    name: str, edits: int | None = 600, *, is_bot: bool = False, is_temp: bool = False
) -> dict[str, Any]:
    """Return a user entity of a registered or temporary account."""
    user = {
        "user_text": name,
        "user_id": zlib.crc32(name.encode()) % 1_000_000 + 1,
        "groups": ["*", "user", *(["bot"] if is_bot else [])],
        "is_bot": is_bot,
        "is_system": False,
        "is_temp": is_temp,
        "registration_dt": "2015-01-12T08:00:00Z",
    }
    return user if edits is None else user | {"edit_count": edits}


def address(number: int) -> dict[str, Any]:
    """Return a user entity of an address."""
    return {
        "user_text": f"198.51.{number // 250 % 250}.{number % 250}",
        "groups": ["*"],
        "is_bot": False,
        "is_temp": False,
    }


def edits(
    number: int, *, days: float = 40, wikis: Sequence[str] = ("enwiki", "dewiki"), seed: int = 11
) -> list[Made]:
    """Return edits and the reverts of some; temporary accounts of the first wiki are reverted twice as often."""
    chance = np.random.default_rng(seed)
    pages = max(number // 4, 1)
    taste = chance.normal(0, 0.7, pages)
    made: list[Made] = []
    for _ in range(number):
        page = int(chance.integers(pages))
        wiki_id = wikis[page % len(wikis)]
        kind = chance.choice(5, p=[0.25, 0.2, 0.2, 0.25, 0.1])
        user = _user(int(kind), int(chance.integers(200)))
        odds = -2.0 + taste[page] + (0.8, 0.1, 0.1, -1.0, -3.0)[kind]
        if kind == 1 and wiki_id == wikis[0]:
            odds += 0.9
        is_bad = chance.random() < 1 / (1 + np.exp(-odds))
        scores = 1 / (1 + np.exp(-(odds + chance.normal(2.4 * is_bad + 0.3, (1.3, 1.0), 2))))
        moment = float(chance.random() * days * _DAY)
        first = Made(wiki_id, page + 1, moment, user, float(scores[0]), float(scores[1]))
        made.append(first)
        if is_bad:
            made += _fate(chance, first, len(made) - 1)
        elif chance.random() < 0.02:
            made.append(_undo(first, len(made) - 1, float(chance.exponential(1800)), user))
    return made


def _user(kind: int, number: int) -> dict[str, Any]:
    if kind == 0:
        return address(number)
    if kind == 1:
        return account(f"~2026-{number}", 0, is_temp=True)
    if kind == 4:
        return account(f"Helper {number % 3}", 90_000, is_bot=True)
    return account(f"User {number}", 12 + number if kind == 2 else 700 + number)


def _fate(chance: np.random.Generator, bad: Made, place: int) -> Iterator[Made]:
    draw = chance.random()
    if draw < 0.1:
        return
    if bad.probability > 0.9 and draw < 0.5:
        reverter, delay = account(BOT_OF_MODEL, 9000, is_bot=True), float(chance.exponential(8))
    elif draw < 0.6:
        reverter, delay = account(BOT_OF_RULES, 9000, is_bot=True), float(chance.exponential(15))
    else:
        late = chance.random() < 0.25
        delay = float(chance.uniform(2, 25) * _DAY if late else chance.exponential(2 * 3600))
        reverter = account(f"Patroller {int(chance.integers(9))}")
    revert = _undo(bad, place, delay, reverter)
    yield revert
    if chance.random() < 0.08:
        by = bad.user if chance.random() < 0.5 else account("Patroller 77")
        yield _undo(revert, place + 1, float(chance.exponential(3600)), by)


def _undo(edit: Made, place: int, delay: float, user: dict[str, Any]) -> Made:
    return replace(
        edit,
        after_s=edit.after_s + delay + 1,
        user=user,
        probability=0.03,
        other_probability=0.02,
        undoes=place,
    )


def events_of(
    made: Sequence[Made],
    *,
    models: Sequence[str] = (LANGUAGE_AGNOSTIC, MULTILINGUAL),
    until_s: float = np.inf,
    deleted_pages: Sequence[tuple[int, float]] = (),
    suffix: str = "",
    version: str = "3",
) -> list[dict[str, Any]]:
    """Return the events of edits up to a time: page_change, and each model's predictions.

    ``deleted_pages`` has pages and when they were deleted. ``suffix`` is of the prediction streams.
    """
    rev_ids = rev_ids_of(made)
    events: list[dict[str, Any]] = []
    for place in sorted(rev_ids, key=rev_ids.__getitem__):
        each = made[place]
        if each.after_s > until_s:
            continue
        rev_id = rev_ids[place]
        undone = None if each.undoes is None else rev_ids[each.undoes]
        parent = (undone or rev_id - 1) if each.parent else 0
        edit = Edit(
            place,
            each.wiki_id,
            each.page_id,
            rev_id,
            parent,
            0,
            START + timedelta(seconds=round(each.after_s)),
            None if undone is None else (undone - 1, undone, undone),
        )
        events.append(page_change(edit, editor=each.user))
        for model in models:
            probability = round(each.probability if model == LANGUAGE_AGNOSTIC else each.other_probability, 6)
            event = prediction(edit, model, suffix=suffix, version=version)
            event["predicted_classification"]["probabilities"] = {
                "true": probability,
                "false": round(1 - probability, 6),
            }
            events.append(event)
    for page_id, after_s in deleted_pages:
        last = max(place for place in rev_ids if made[place].page_id == page_id)
        edit = Edit(
            last, made[last].wiki_id, page_id, rev_ids[last], 1, 0, START + timedelta(seconds=after_s)
        )
        events.append(page_change(edit, kind="delete", after_s=0.0))
    return events


def rev_ids_of(made: Sequence[Made]) -> dict[int, int]:
    """Return each edit's revision id by its place: in the order of their times."""
    order = sorted(range(len(made)), key=lambda place: made[place].after_s)
    return {place: 1_000 + 3 * number for number, place in enumerate(order)}


def fill(lake: Lake, events: Sequence[dict[str, Any]], source: str = "made") -> None:
    """Write events into a lake."""
    write_lines(lake, as_lines(events), source)


def new_lake(folder: Path, events: Sequence[dict[str, Any]]) -> Lake:
    """Make a lake of events in a folder, with its key beside it."""
    lake = make_lake(str(folder / "lake"), str(folder / "key"))
    fill(lake, events)
    return lake


def list_bots(lake: Lake, wikis: Sequence[str] = BOTS) -> None:
    """Write both bots into the lake's list."""
    write_bots(
        lake,
        [
            Bot(wiki_id=wiki, name=name, valid_from=date(2020, 1, 1), acts_on=acts_on)
            for wiki in wikis
            for name, acts_on in _ACTS_ON.items()
        ],
    )
