"""Makes a month of edits as JSON lines, fast: it fills values into templates of the fakes' events.

Nine wikis have 6.5 of 15 edits, and 333 other wikis have the rest. Half of the edits are of pages that were edited
recently. Some of these undo one or two edits: 6 % of all edits are reverts, within minutes or hours, like most reverts.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any

import orjson

from tests.fakes.lake_events import (
    LANGUAGE_AGNOSTIC,
    MULTILINGUAL,
    START,
    WIKIS,
    Edit,
    page_change,
    prediction,
)

LARGE_SHARE = 6.5 / 15
SMALL_WIKIS = tuple(f"small{number}wiki" for number in range(333))
RECENT = 20_000
"""The number of recent edits whose pages can be edited again."""
SHAPES = 70
"""The number of different users: every fifth is an IP address, every seventh a sysop, every tenth a bot."""
_SENTINEL = Edit(
    1, "@wiki@", 2_222_222_222, 1_111_111_111, 3_333_333_333, 0, datetime(2001, 1, 1, tzinfo=UTC)
)
_REVERT = (4_444_444_444, 5_555_555_555, 6_666_666_666)
_PROBABILITY = {
    model: prediction(_SENTINEL, model)["predicted_classification"]["probabilities"]
    for model in (LANGUAGE_AGNOSTIC, MULTILINGUAL)
}


@dataclass(frozen=True, slots=True)
class Lines:
    """The events of some edits, as JSON lines."""

    edits: int
    page_changes: list[bytes]
    predictions: list[bytes]
    """The events of both models."""


def lines_of(number: int, batch: int, days: int, seed: int = 7) -> Iterator[Lines]:
    """Yield the lines of ``number`` edits over ``days`` days, in batches of ``batch`` edits, oldest first."""
    changes = {
        (user, undoes): _template(
            page_change(replace(_SENTINEL, user=user, reverts=_REVERT if undoes else None)), user
        )
        for user in range(SHAPES)
        for undoes in (False, True)
    }
    predictions = {
        (model, user): _template(prediction(replace(_SENTINEL, user=user), model), user)
        for model in _PROBABILITY
        for user in range(SHAPES)
    }
    values = _values(number, days, seed)
    while part := list(islice(values, batch)):
        yield Lines(
            len(part),
            [changes[each[b"shape"], b"original" in each] % each for each in part],
            [predictions[model, each[b"shape"]] % each for each in part for model in _PROBABILITY],
        )


def _template(event: dict[str, object], user: int) -> bytes:
    """Return an event as a format string, with names in place of the sentinel's values."""
    text = orjson.dumps(event)
    names = {b"@wiki@": b"%(wiki)b", b'"User %d"' % user: b'"User %(user)d"'}
    names |= {
        b"%d" % value: b"%%(%b)d" % name
        for name, value in {
            b"page": _SENTINEL.page_id,
            b"rev": _SENTINEL.rev_id,
            b"parent": _SENTINEL.parent_id,
            b"original": _REVERT[0],
            b"oldest": _REVERT[1],
            b"newest": _REVERT[2],
        }.items()
    }
    names |= {b"2001-01-01T00:00:0%d.000Z" % second: b"%%(second%d)b" % second for second in range(3)}
    for model, said in _PROBABILITY.items():
        short = model.encode()
        names[b'"true":%b' % orjson.dumps(said["true"])] = b'"true":%%(%b)b' % short
    for value, name in names.items():
        text = text.replace(value, name)
    return text


def _values(number: int, days: int, seed: int) -> Iterator[dict[bytes, Any]]:
    chance = random.Random(seed)  # noqa: S311 - no secret
    pages, users = max(number // 10, 1), max(number // 20, SHAPES)
    step = days * 86_400 / number
    recent: list[tuple[int, list[int]]] = []
    models = [model.encode() for model in _PROBABILITY]
    for each in range(number):
        place = chance.randrange(RECENT)
        if chance.random() < 0.5 and place < len(recent):
            page, before = recent[place]
        else:
            page, before = chance.randrange(pages) + 1, []
        rev_id, user, second = 1_000_000_000 + each, chance.randrange(users), int(each * step)
        values: dict[bytes, Any] = {
            b"wiki": _wiki_of(page),
            b"shape": user % SHAPES,
            b"user": user,
            b"page": page,
            b"rev": rev_id,
            b"parent": before[-1] if before else page % 10 and rev_id - RECENT,
        }
        values[b"second0"], values[b"second1"], values[b"second2"] = (
            _z(second),
            _z(second + 1),
            _z(second + 2),
        )
        for model in models:
            values[model] = b"%.6f" % chance.random() ** 4
        if len(before) > 1 and chance.random() < 0.25:
            undone = min(chance.choice((1, 1, 2)), len(before) - 1)
            values |= {b"original": before[-undone - 1], b"oldest": before[-undone], b"newest": before[-1]}
        yield values
        before = [*before[-3:], rev_id]
        if len(recent) < RECENT:
            recent.append((page, before))
        else:
            recent[place] = (page, before)


def _wiki_of(page: int) -> bytes:
    part = page % 1500
    if part < LARGE_SHARE * 1500:
        return WIKIS[part % len(WIKIS)].encode()
    return SMALL_WIKIS[part % len(SMALL_WIKIS)].encode()


@lru_cache(maxsize=8)
def _z(second: int) -> bytes:
    return (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.000Z").encode()
