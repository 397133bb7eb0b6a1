"""Simulated cells with known true values: the errors of the figures, and how often intervals contain the true value.

``python -m tests.study.outcomes`` runs it in full and prints a table; tests run smaller parts with the same code.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from revertrisk.reports.cell import Ends, reverter_figures, score_quality
from revertrisk.reports.differences import Compared, differences
from revertrisk.reports.figures import Basis, Figure
from revertrisk.reports.figures import share as share_figure
from revertrisk.reports.intervals import clustered
from revertrisk.reports.watched import REGISTERED, USER_KINDS, Cause

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
HORIZON: Final = 48 * HOUR
RECORD: Final = 7 * DAY
ICC: Final = 0.1
SHARE: Final = 0.08
"""The share of edits that somebody would revert if nothing else came first."""
SELF: Final = 0.03
DELETED_IN_RECORD: Final = 0.03
THRESHOLD: Final = 0.6
LATE: Final = (0.1, 0.3, 0.5)
SEED: Final = 20
MEASURES: Final = ("share_reverted", "share_reverted_flagged", "recall", "flagged_not_reverted", "auc")

Random = np.random.Generator


def pages_of(chance: Random, edits: int, largest: int = 10) -> NDArray[np.int64]:
    """Return the page of each edit, in order: 1 to ``largest`` edits each, all as likely."""
    sizes = chance.integers(1, largest + 1, edits)
    return np.repeat(np.arange(edits), sizes)[:edits]


def _weighted(weights: NDArray[np.float64]) -> "Sizes":
    """Return pages whose numbers of edits are proportional to ``weights``, at least one each."""

    def pages(_: Random, edits: int) -> NDArray[np.int64]:
        sizes = np.maximum(np.round(edits * weights / weights.sum()), 1).astype(np.int64)
        return np.repeat(np.arange(len(sizes)), sizes)

    return pages


def _largest(share: float, pages: int = 100) -> "Sizes":
    return _weighted(np.array([share, *[(1 - share) / (pages - 1)] * (pages - 1)]))


Sizes = Callable[[Random, int], NDArray[np.int64]]
PAGES: Final[Mapping[str, Sizes]] = {
    "1 to 10 edits a page": pages_of,
    "20 pages of equal size": _weighted(np.ones(20)),
    "60 pages of equal size": _weighted(np.ones(60)),
    "200 pages by Zipf's law": _weighted(1 / np.arange(1.0, 201)),
    "1,000 pages by Zipf's law": _weighted(1 / np.arange(1.0, 1001)),
    "one page has 10 %": _largest(0.1),
    "one page has 20 %": _largest(0.2),
    "one page has 30 %": _largest(0.3),
}
"""How the edits of a cell are spread over pages. Where one page has a share, 99 others of equal size have the rest."""


def likelihoods(
    chance: Random, pages: NDArray[np.int64], share: float, icc: float = ICC
) -> NDArray[np.float64]:
    """Return each edit's chance of a revert; edits of a page have the same, so that they are correlated by ``icc``."""
    strength = 1 / icc - 1
    return chance.beta(share * strength, (1 - share) * strength, int(pages[-1]) + 1)[pages]


def cell(
    chance: Random,
    edits: int,
    late: float,
    *,
    ends: bool = True,
    share: float = SHARE,
    sizes: Sizes = pages_of,
) -> Ends:
    """Return a cell of edits of the last days: self-reverts and deletions of whole pages compete with reverts."""
    page = sizes(chance, edits)
    edits = len(page)
    is_bad = chance.random(edits) < likelihoods(chance, page, share)
    probability = 1 / (1 + np.exp(-chance.normal(np.where(is_bad, 0.6, -1.2), 1.0)))
    soon = -2 * HOUR * np.log1p(-chance.random(edits) * -np.expm1(-HORIZON / (2 * HOUR)))
    later = chance.uniform(HORIZON, 30 * DAY, edits)
    revert = np.where(is_bad, np.where(chance.random(edits) < late, later, soon), np.inf)
    taken_back = np.where(chance.random(edits) < SELF, chance.exponential(HOUR, edits), np.inf)
    deletion = chance.exponential(-RECORD / np.log1p(-DELETED_IN_RECORD), int(page[-1]) + 1)[page]
    age = chance.random(edits) * RECORD if ends else np.full(edits, np.inf)
    times = np.stack([age, revert, taken_back, deletion])
    first = np.argmin(times, axis=0)
    causes = np.array(
        [Cause.OPEN, Cause.REVERTED_BY_PERSON, Cause.SELF_REVERTED, Cause.DELETED], dtype=np.int8
    )
    return Ends(page, probability, age, times.min(axis=0), causes[first])


def figures_of(ends: Ends) -> dict[str, Figure]:
    """Return the figures of a cell, by measure."""
    found = reverter_figures(ends, HORIZON, (THRESHOLD,))
    (at,) = found.thresholds
    listed = (
        found.share_reverted,
        at.share_reverted_flagged,
        at.recall,
        at.flagged_not_reverted,
        score_quality(ends, HORIZON).auc,
    )
    return {each.measure: each for each in listed}


def truth(late: float, edits: int = 3_000_000) -> dict[str, float]:
    """Return the figures of very many edits, all of them watched beyond the horizon."""
    chance = np.random.default_rng(SEED + 1)
    ends = [cell(chance, 200_000, late, ends=False) for _ in range(edits // 200_000)]
    found = [figures_of(each) for each in ends]
    return {name: float(np.mean([each[name].value or 0.0 for each in found])) for name in MEASURES}


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One measure over all cells, in percent or percentage points."""

    measure: str
    truth: float
    mean_error: float
    standard_deviation: float
    shown: float
    """The share of figures that have an interval."""
    coverage: float
    """The share of these intervals that contain the true value; NaN if there are none."""


def accuracy(
    cells: int,
    edits: int,
    late: float,
    *,
    seed: int = SEED,
    truth_edits: int = 3_000_000,
    sizes: Sizes = pages_of,
) -> list[Accuracy]:
    """Simulate cells and compare their figures with the true values, which do not depend on the sizes of pages."""
    chance = np.random.default_rng(seed)
    known = truth(late, truth_edits)
    found = [figures_of(cell(chance, edits, late, sizes=sizes)) for _ in range(cells)]
    return [_accuracy(name, known[name], [each[name] for each in found]) for name in MEASURES]


def _accuracy(measure: str, known: float, found: list[Figure]) -> Accuracy:
    values = np.array([each.value for each in found if each.value is not None], dtype=np.float64)
    errors = 100 * (values - known)
    shown, held = _held(known, found)
    return Accuracy(measure, 100 * known, float(errors.mean()), float(errors.std()), 100 * shown, 100 * held)


def _held(known: float, found: list[Figure]) -> tuple[float, float]:
    """Return the share of figures that have an interval, and the share of these that contain the true value."""
    ends = [(each.low, each.high) for each in found if each.low is not None and each.high is not None]
    held = [low <= known <= high for low, high in ends]
    return len(ends) / len(found), float(np.mean(held)) if held else float("nan")


@dataclass(frozen=True, slots=True)
class Coverage:
    """Over all simulated shares: how many have an interval, and how many of these contain the true value."""

    shown: float
    coverage: float


def share_coverage(
    sizes: str, cells: int, *, share: float, icc: float, edits: int = 3_000, seed: int = SEED
) -> Coverage:
    """Simulate shares of edits that are all watched beyond the horizon. ``sizes`` is a key of `PAGES`."""
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(cells):
        page = PAGES[sizes](chance, edits)
        likely = likelihoods(chance, page, share, icc) if icc else share
        event = chance.random(len(page)) < likely
        value = float(event.mean())
        basis = Basis(len(page), int(event.sum()), int(page[-1]) + 1)
        if basis.too_few is None:
            spread = clustered((event - value) / len(page), page)
            found.append(share_figure("share_reverted", value, spread, basis))
    return Coverage(*_held(share, found))


@dataclass(frozen=True, slots=True)
class Detection:
    """Over all reports: how often the planted difference was found, and which share of what was flagged is false."""

    reports: int
    found: float
    false_among_flagged: float


def detection(reports: int, edits: int = 2_000, share: float = 0.05, seed: int = SEED) -> Detection:
    """Simulate reports on three wikis in which temporary accounts are reverted twice as often on one of them.

    ``edits`` is the number by each of five kinds of users on each wiki.
    """
    chance = np.random.default_rng(seed)
    found = flagged = false = 0
    for _ in range(reports):
        listed = differences(list(_report(chance, edits, share)), HORIZON)
        marked = {(each.wiki_id, each.kind) for each in listed if each.is_flagged}
        found += ("enwiki", "temporary") in marked
        flagged += len(marked)
        false += len(marked - {("enwiki", "temporary")})
    return Detection(reports, found / reports, false / max(flagged, 1))


def _report(chance: Random, edits: int, share: float) -> Iterator[Compared]:
    kinds = np.array([USER_KINDS.index("ip"), USER_KINDS.index("temporary"), *REGISTERED[1:4]])
    number = edits * len(kinds)
    for wiki_id in ("enwiki", "dewiki", "frwiki"):
        page = pages_of(chance, number)
        kind = chance.permutation(np.repeat(kinds, edits))
        likely = likelihoods(chance, page, share)
        if wiki_id == "enwiki":
            likely = np.where(kind == USER_KINDS.index("temporary"), 2 * likely, likely)
        is_reverted = chance.random(number) < likely
        seconds = np.where(is_reverted, chance.uniform(0, HORIZON, number), 3 * DAY)
        cause = np.where(is_reverted, Cause.REVERTED_BY_PERSON, Cause.OPEN).astype(np.int8)
        ends = Ends(page, np.full(number, 0.5), np.full(number, 3 * DAY), seconds, cause)
        yield Compared(wiki_id, kind.astype(np.int8), ends)


def main(write: Callable[[str], object] = sys.stdout.write) -> None:
    """Run the study and print it as Markdown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--edits", type=int, default=5000)
    parser.add_argument("--reports", type=int, default=100)
    asked = parser.parse_args()
    write(f"{asked.cells} cells of {asked.edits} edits each; in percent.\n\n")
    _header(
        write,
        "late reverts",
        "figure",
        "true value",
        "mean error",
        "SD of the error",
        "intervals with the true value",
    )
    for late in LATE:
        for each in accuracy(asked.cells, asked.edits, late):
            write(
                f"| {late:.0%} | {each.measure} | {each.truth:.2f} | {each.mean_error:+.2f} "
                f"| {each.standard_deviation:.2f} | {each.coverage:.1f} % |\n"
            )
    write(
        "\nOther sizes of pages, 30 % late reverts: intervals with the true value; - if none has an interval.\n\n"
    )
    _header(write, "pages", *MEASURES)
    for name, sizes in PAGES.items():
        listed = accuracy(asked.cells, asked.edits, 0.3, sizes=sizes)
        write(f"| {name} | {' | '.join(_percent(each.shown, each.coverage) for each in listed)} |\n")
    write("\nShares of 3,000 edits, all watched to the horizon, by the correlation within a page (ICC).\n\n")
    cells = [(share, icc) for share in (0.02, 0.08, 0.3) for icc in (0.0, 0.05, 0.1)]
    _header(write, "pages", *(f"{share:.0%}, ICC {icc:g}" for share, icc in cells))
    for name in PAGES:
        rates = [share_coverage(name, asked.cells, share=share, icc=icc) for share, icc in cells]
        write(
            f"| {name} | {' | '.join(_percent(100 * each.shown, 100 * each.coverage) for each in rates)} |\n"
        )
    found = detection(asked.reports)
    write(
        f"\nTemporary accounts reverted twice as often, {found.reports} reports: found in {found.found:.0%}, "
        f"false among flagged {found.false_among_flagged:.1%}.\n"
    )


def _header(write: Callable[[str], object], *names: str) -> None:
    write(f"| {' | '.join(names)} |\n{'| --- ' * len(names)}|\n")


def _percent(shown: float, coverage: float) -> str:
    """Return a coverage; where only some of the figures have an interval, with the share that has one."""
    if not shown:
        return "-"
    return f"{coverage:.1f} %" + (f" (of {shown:.0f} %)" if shown < 99.5 else "")


if __name__ == "__main__":
    main()
