"""Simulated cells with known true values: the errors of the figures, and how often intervals contain the true value.

``python -m tests.study.outcomes`` runs it in full and prints a table; tests run smaller parts with the same code.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from revertrisk.reports.cell import Ends, reverter_figures, score_quality
from revertrisk.reports.differences import Compared, differences
from revertrisk.reports.figures import Figure
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


def likelihoods(
    chance: Random, pages: NDArray[np.int64], share: float, icc: float = ICC
) -> NDArray[np.float64]:
    """Return each edit's chance of a revert; edits of a page have the same, so that they are correlated by ``icc``."""
    strength = 1 / icc - 1
    return chance.beta(share * strength, (1 - share) * strength, int(pages[-1]) + 1)[pages]


def cell(chance: Random, edits: int, late: float, *, ends: bool = True, share: float = SHARE) -> Ends:
    """Return a cell of edits of the last days: self-reverts and deletions of whole pages compete with reverts."""
    page = pages_of(chance, edits)
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
    coverage: float


def accuracy(
    cells: int, edits: int, late: float, *, seed: int = SEED, truth_edits: int = 3_000_000
) -> list[Accuracy]:
    """Simulate cells and compare their figures with the true values."""
    chance = np.random.default_rng(seed)
    known = truth(late, truth_edits)
    found = [figures_of(cell(chance, edits, late)) for _ in range(cells)]
    return [_accuracy(name, known[name], [each[name] for each in found]) for name in MEASURES]


def _accuracy(measure: str, known: float, found: list[Figure]) -> Accuracy:
    values = np.array([each.value for each in found], dtype=np.float64)
    held = [
        each.low is not None and each.high is not None and each.low <= known <= each.high for each in found
    ]
    errors = 100 * (values - known)
    return Accuracy(
        measure, 100 * known, float(errors.mean()), float(errors.std()), 100 * float(np.mean(held))
    )


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
    write(
        "| late reverts | figure | true value | mean error | SD of the error | intervals with the true value |\n| --- "
        + "| --- " * 5
        + "|\n"
    )
    for late in LATE:
        for each in accuracy(asked.cells, asked.edits, late):
            write(
                f"| {late:.0%} | {each.measure} | {each.truth:.2f} | {each.mean_error:+.2f} "
                f"| {each.standard_deviation:.2f} | {each.coverage:.1f} % |\n"
            )
    found = detection(asked.reports)
    write(
        f"\nTemporary accounts reverted twice as often, {found.reports} reports: found in {found.found:.0%}, "
        f"false among flagged {found.false_among_flagged:.1%}.\n"
    )


if __name__ == "__main__":
    main()
