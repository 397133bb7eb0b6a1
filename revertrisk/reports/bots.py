"""Anti-vandalism bots: what they revert, how often their reverts are reverted, and the overlap with a model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from revertrisk.reports.bot_rows import (
    BUCKETS,
    KINDS,
    UNDONE_BY,
    ListedBot,
    Numbers,
    OverlapRows,
    RevertedRows,
)
from revertrisk.reports.counting_rules import RuleStep, counting_steps, keep_bots
from revertrisk.reports.daily import (
    DailyNumber,
    count_by_day,
    daily_number,
    day_name,
    mean_of_daily_shares,
    mean_over_cells,
    ratio_of_sums,
)
from revertrisk.reports.figures import Figure, share_of_rows
from revertrisk.reports.overlap import Overlap, OverlapDay, overlap_days, overlap_of_wiki
from revertrisk.reports.watched import Booleans

ALL: Final = "all"
WINDOW_S: Final = 86_400.0
"""In seconds: a revert counts if it comes within a day."""
THRESHOLD: Final = 0.87
"""The model flags edits with a probability above it."""
_BASE_EDITOR: Final = UNDONE_BY.index("the base editor")


@dataclass(frozen=True, slots=True)
class Reverts:
    """The reverts of edits by one kind of editor on a wiki, and how many of them a bot made.

    ``bot`` is the name of one listed bot, or `ALL` for all listed bots.
    """

    wiki_id: str
    bot: str
    kind: str
    edit_bucket: str
    days: int
    """The number of days of the period that are in the record of the wiki."""
    reverts: int
    bot_reverts: int
    bot_reverts_reverted: int
    undone_by: Mapping[str, int]
    """Who reverted `bot_reverts_reverted`: a number for each name in `UNDONE_BY`."""
    a_day: Mapping[str, DailyNumber]
    """Per day of the revert: all reverts, those by bots, and those by bots that were reverted."""
    averages: Mapping[str, Mapping[str, float | None]]
    """The figures below averaged by other rules, for comparison: by measure, then by name in `daily.AVERAGES`."""
    bots_share: Figure
    share_reverted: Figure
    """Share of the reverts by bots that were themselves reverted."""


@dataclass(frozen=True, slots=True)
class RevertsDay:
    """The reverts of one day, of edits by one kind of editor."""

    wiki_id: str
    day: str
    kind: str
    edit_bucket: str
    reverts: int
    bot_reverts: int
    bot_reverts_reverted: int


@dataclass(frozen=True, slots=True)
class Bots:
    """The whole report."""

    listed: tuple[ListedBot, ...]
    days: Mapping[str, tuple[str, str]]
    """For each wiki with a listed bot, the first and the last day of the period that are in its record.

    A wiki without such a day is left out here and in the rest of the report.
    """
    model_name: str
    threshold: float
    window_s: float
    automoderator_rules: bool
    reverts: tuple[Reverts, ...]
    revert_days: tuple[RevertsDay, ...]
    """A revert of edits by several kinds of editors counts for each kind."""
    mean_over_cells: Mapping[str, float | None]
    """Of the bot reverts that were reverted: the share reverted by the author of the edit that the bot had reverted.

    It is given by kind of editor, and averaged by the rule of the notebook.
    """
    overlap: tuple[Overlap, ...]
    overlap_days: tuple[OverlapDay, ...]
    rules: tuple[RuleStep, ...]
    """For each wiki, one step for each of `COUNTING_RULES`."""


def bots(  # noqa: PLR0913 - the data and the parameters of the report
    wikis: Sequence[str],
    listed: Sequence[ListedBot],
    rows: RevertedRows,
    overlap: OverlapRows,
    days: Mapping[str, tuple[int, int]],
    *,
    model_name: str,
    threshold: float = THRESHOLD,
    window_s: float = WINDOW_S,
    automoderator_rules: bool = False,
) -> Bots:
    """Make the report from the reverted and the flagged edits of the wikis that have a listed bot.

    The rows refer to wikis by their index in ``wikis``. ``days`` has the first and the last day of each wiki, in days
    since 1970. Wikis without days are left out, and rows on other days.
    """
    rows = rows.part(_in_days(rows.wiki, rows.revert_day, wikis, days))
    kept = rows.part(~rows.is_self & ~rows.is_null_edit)
    kept = keep_bots(kept, kept.is_valid)
    overlap = overlap.part(_in_days(overlap.wiki, overlap.edit_day, wikis, days))
    indexed = [(index, wiki_id) for index, wiki_id in enumerate(wikis) if wiki_id in days]
    parts = [(wiki_id, overlap.part(overlap.wiki == index)) for index, wiki_id in indexed]
    of_days = tuple(day for wiki_id, part in parts for day in overlap_days(wiki_id, part, days[wiki_id]))
    return Bots(
        tuple(listed),
        {wiki_id: (day_name(days[wiki_id][0]), day_name(days[wiki_id][1])) for _, wiki_id in indexed},
        model_name,
        threshold,
        window_s,
        automoderator_rules,
        tuple(
            each
            for index, wiki_id in indexed
            for each in _reverts(wiki_id, kept.part(kept.wiki == index), days[wiki_id])
        ),
        tuple(_revert_days(wikis, kept)),
        _notebook_means(wikis, kept),
        tuple(overlap_of_wiki(wiki_id, part, of_days, days[wiki_id]) for wiki_id, part in parts),
        of_days,
        tuple(
            step
            for index, wiki_id in indexed
            for step in counting_steps(wiki_id, rows.part(rows.wiki == index))
        ),
    )


def _in_days(
    wiki: NDArray[np.int16], day: Numbers, wikis: Sequence[str], days: Mapping[str, tuple[int, int]]
) -> Booleans:
    """Return which rows are on a day of their wiki."""
    ends = np.array([days.get(each, (0, -1)) for each in wikis], dtype=np.int64).reshape(-1, 2)[wiki]
    inside: Booleans = (day >= ends[:, 0]) & (day <= ends[:, 1])
    return inside


def _reverts(wiki_id: str, rows: RevertedRows, days: tuple[int, int]) -> Iterator[Reverts]:
    if not len(rows.page):
        return
    every: Booleans = np.ones(len(rows.page), dtype=np.bool_)
    cells = [(ALL, ALL, every)]
    for number, kind in enumerate(KINDS):
        of_kind: Booleans = rows.kind == number
        cells.append((kind, ALL, of_kind))
        if kind == "registered":
            cells += [
                (kind, name, of_kind & (rows.edit_bucket == index)) for index, name in enumerate(BUCKETS)
            ]
    names = sorted({str(name) for name in rows.bot} - {""})
    for kind, bucket, members in cells:
        if not members.any():
            continue
        part = rows.part(members).reverts()
        # With one bot the cell of all bots would be the same, so it has only the name; without a bot it is `ALL`.
        for bot in [ALL, *names] if len(names) > 1 else names or [ALL]:
            by_bot: Booleans = part.bot != "" if bot == ALL else part.bot == bot
            yield _cell(wiki_id, bot, (kind, bucket), part, by_bot, days)


def _revert_days(wikis: Sequence[str], rows: RevertedRows) -> Iterator[RevertsDay]:
    # A revert counts once in each cell of wiki, day, kind and edit count, also if it reverted several edits there.
    keys = np.stack([rows.wiki, rows.revert_day, rows.kind, rows.edit_bucket, rows.page, rows.rev_id], axis=1)
    _, first = np.unique(keys, axis=0, return_index=True)
    cells, cell_of = np.unique(keys[first, :4], axis=0, return_inverse=True)
    by_bot = (rows.bot != "")[first]
    undone = by_bot & (rows.undone_by > 0)[first]
    counts = (np.bincount(cell_of, each, len(cells)) for each in (np.ones(len(first)), by_bot, undone))
    for (wiki, day, kind, bucket), *numbers in zip(cells.tolist(), *counts, strict=True):
        yield RevertsDay(wikis[wiki], day_name(day), KINDS[kind], BUCKETS[bucket], *map(int, numbers))


def _cell(  # noqa: PLR0913, PLR0917 - the key of a cell and its rows
    wiki_id: str,
    bot: str,
    of: tuple[str, str],
    reverts: RevertedRows,
    by_bot: Booleans,
    days: tuple[int, int],
) -> Reverts:
    undone = by_bot & (reverts.undone_by > 0)
    every: Booleans = np.ones(len(by_bot), dtype=np.bool_)
    everyday, bots_day, undone_day = (
        count_by_day(reverts.revert_day[members], days) for members in (every, by_bot, undone)
    )
    bots_share = share_of_rows("bots_share", by_bot, every, reverts.page, "by bots")
    share_reverted = share_of_rows("bot_reverts_reverted", undone, by_bot, reverts.page, "reverted")
    whom = np.bincount(reverts.undone_by_whom[undone], minlength=len(UNDONE_BY))
    return Reverts(
        wiki_id,
        bot,
        *of,
        len(everyday),
        len(by_bot),
        int(by_bot.sum()),
        int(undone.sum()),
        {name: int(whom[index]) for index, name in enumerate(UNDONE_BY) if name},
        {
            "reverts": daily_number(everyday),
            "bot_reverts": daily_number(bots_day),
            "bot_reverts_reverted": daily_number(undone_day),
        },
        {
            "bots_share": _averages(bots_share, bots_day, everyday, bots_day),
            "bot_reverts_reverted": _averages(share_reverted, undone_day, bots_day, bots_day),
        },
        bots_share,
        share_reverted,
    )


def _averages(figure: Figure, part: Numbers, whole: Numbers, bot: Numbers) -> dict[str, float | None]:
    """Return a share averaged by two rules; None if the share is not shown."""
    if figure.value is None:
        return {"ratio_of_sums": None, "mean_of_daily_shares": None}
    return {
        "ratio_of_sums": ratio_of_sums(part, whole),
        "mean_of_daily_shares": mean_of_daily_shares(part, whole, bot),
    }


def _notebook_means(wikis: Sequence[str], rows: RevertedRows) -> dict[str, float | None]:
    """Return the means of `Bots.mean_over_cells`.

    Cells are by wiki, kind of editor and edit count, as in the notebook. The days of a cell are those of the first edit
    that each revert reverted.
    """
    found: dict[str, list[tuple[int, int, int]]] = {}
    for index in range(len(wikis)):
        for kind in ("anonymous", "registered"):
            for bucket in range(len(BUCKETS)):
                is_kind = rows.kind == KINDS.index("registered")
                members = (rows.wiki == index) & (is_kind if kind == "registered" else ~is_kind)
                members &= (rows.edit_bucket == bucket) & (rows.bot != "") & (rows.undone_by > 0)
                part = rows.part(members).reverts()
                days = len(np.unique(part.edit_day))
                base = int((part.undone_by_whom == _BASE_EDITOR).sum())
                found.setdefault(kind, []).append((days, base, len(part.page)))
    return {kind: mean_over_cells(cells) for kind, cells in found.items()}
