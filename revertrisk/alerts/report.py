"""``revertrisk surge fit``: a report on the baselines of the wikis in a lake, their dispersion, and the budget."""

import math
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from revertrisk.alerts.cusum import span_ratio
from revertrisk.alerts.errors import EXIT_BROKEN, EXIT_DONE
from revertrisk.alerts.fitting import LEAST_RATIO, Model, fit, smallest_bin
from revertrisk.alerts.level import MINUTES_PER_DAY
from revertrisk.alerts.likelihood import Floats
from revertrisk.alerts.settings import WatchSettings
from revertrisk.alerts.threshold import LEAST_BUDGET_DAYS

LEAST_DAYS: Final = 2
WATCHES_OF_A_WIKI: Final = 2
"""Its edits, and their silence."""
PLOTTED: Final = 20
"""The number of wikis with a plot: those with the most edits."""
_QUERY: Final = """
SELECT wiki_id, epoch(date_trunc('minute', meta_dt))::BIGINT // 60 AS minute, count(*) AS number
FROM revision WHERE kind IN ('edit', 'create') GROUP BY ALL ORDER BY wiki_id, minute
"""


@dataclass(frozen=True, slots=True)
class FittedWiki:
    """A wiki with its model and its edits by minute, of shape (minutes,)."""

    wiki_id: str
    first_minute: int
    minutes: Floats
    model: Model

    @property
    def per_minute(self) -> float:
        """The mean number of edits per minute."""
        return float(self.minutes.mean())

    def delay(self, ratio: float, budget_days: float) -> float:
        """Return the approximate delay in minutes until a surge of a ratio is found, at the mean rate of the day."""
        alpha, length = self.model.dispersion.alpha, self.model.bin_minutes
        mean = np.array([self.per_minute * length])
        gain = float(span_ratio(ratio * mean, mean, np.ones(1), alpha, LEAST_RATIO)[0])
        return math.ceil(self.model.start.threshold(budget_days) / gain) * length if gain > 0 else math.inf


def fit_lake(lake: str, folder: Path, settings: WatchSettings) -> int:
    """Write the report on the wikis of a lake into a folder; returns the exit status."""
    # The extra of the lake is needed for this command only.
    from revertrisk.lake.errors import LakeError  # noqa: PLC0415
    from revertrisk.lake.reader import Reader  # noqa: PLC0415

    try:
        with closing(Reader(lake)) as reader:
            rows = reader.query(_QUERY).fetchall()
    except LakeError as exc:
        sys.stderr.write(f"revertrisk: {exc}\n")
        return exc.exit_status
    fitted = list(_fitted(rows, settings))
    if not fitted:
        sys.stderr.write(f"revertrisk: {lake}: no wiki has enough edits on {LEAST_DAYS} days\n")
        return EXIT_BROKEN
    fitted.sort(key=lambda wiki: -wiki.per_minute)
    budget = max(LEAST_BUDGET_DAYS, settings.budget_days * WATCHES_OF_A_WIKI * len(fitted))
    folder.mkdir(parents=True, exist_ok=True)
    text = report(fitted, settings.budget_days, budget)
    for wiki in fitted[:PLOTTED]:
        _plot(wiki, folder / f"{wiki.wiki_id}.png")
        text += f"\n![{wiki.wiki_id}]({wiki.wiki_id}.png)\n"
    (folder / "report.md").write_text(text, encoding="utf-8")
    sys.stdout.write(f"{folder / 'report.md'}: {len(fitted)} wikis\n")
    return EXIT_DONE


def report(fitted: list[FittedWiki], budget_days: float, per_series: float) -> str:
    """Return the report as Markdown; ``per_series`` is the budget of each watch in days per false start."""
    lines = [
        "# Baselines and budget",
        "",
        (
            f"The edits of {len(fitted)} wikis are watched for surges and for silence. A budget of one false start in "
            f"{budget_days:g} days over all of them means one in {per_series:,.0f} days for each of these watches. "
            "With predictions, each wiki has two more, and a budget of twice as many days."
        ),
        "",
        "| wiki | days | bin, min | edits/min | φ | α | ρ per bin | threshold | minutes to find 1.5×, 2×, 3× | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for wiki in fitted:
        model = wiki.model
        spread = model.dispersion
        delays = ", ".join(_number(wiki.delay(ratio, per_series)) for ratio in (1.5, 2, 3))
        notes = [
            *(["provisional"] if model.is_provisional else []),
            *(["extrapolated"] if model.start.is_extrapolated(per_series) else []),
        ]
        lines.append(
            f"| {wiki.wiki_id} | {model.days} | {model.bin_minutes} | {wiki.per_minute:.2f} | {_number(spread.phi)} "
            f"| {spread.alpha:.3f} | {spread.rho:.3f} | {model.start.threshold(per_series):.1f} | {delays} "
            f"| {', '.join(notes)} |"
        )
    lines += [
        "",
        (
            "φ is the variance of the counts divided by their mean: 1 for Poisson. α is the relative variance of the "
            "rate beyond Poisson, and ρ is its autocorrelation from one bin to the next. *Provisional* means less "
            "than four weeks of history, so that α, ρ and the threshold are assumed. *Extrapolated* means that the "
            "budget is longer than the history; it is then kept on average over the wikis, but not by each wiki."
        ),
    ]
    return "\n".join(lines) + "\n"


def _fitted(rows: list[tuple[str, int, int]], settings: WatchSettings) -> Iterator[FittedWiki]:
    if not rows:
        return
    first = -(-min(minute for _, minute, _ in rows) // 60) * 60
    end = max(minute for _, minute, _ in rows) // 60 * 60
    if end - first < LEAST_DAYS * MINUTES_PER_DAY:
        return
    by_wiki: dict[str, Floats] = {}
    for wiki, minute, number in rows:
        if first <= minute < end and (settings.wikis is None or wiki in settings.wikis):
            by_wiki.setdefault(wiki, np.zeros(end - first))[minute - first] = number
    for wiki, minutes in by_wiki.items():
        seen = np.ones(len(minutes))
        length = smallest_bin(minutes, seen, first)
        if length is None:
            continue
        counts = minutes.reshape(-1, length).sum(axis=1)
        model = fit(counts, np.ones(len(counts)), first // length, length)
        yield FittedWiki(wiki, first, minutes, model)


def _plot(wiki: FittedWiki, path: Path) -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import, and needed for reports only

    hours = len(wiki.minutes) // 60
    counts = wiki.minutes[: hours * 60].reshape(hours, 60).sum(axis=1)
    length = wiki.model.bin_minutes
    means = wiki.model.baseline.means(wiki.first_minute // length, hours * 60 // length)
    usual = means.reshape(hours, 60 // length).sum(axis=1)
    figure = Figure(figsize=(10, 3), layout="constrained")
    axes = figure.subplots()
    days = np.arange(hours) / 24
    axes.plot(days, counts, linewidth=0.6, color="tab:gray", label="edits an hour")
    axes.plot(days, usual, linewidth=1.2, color="tab:blue", label="baseline")
    axes.set(title=wiki.wiki_id, xlabel="day", ylabel="edits an hour", ylim=(0, None))
    axes.legend(loc="upper right")
    figure.savefig(path, dpi=100)


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return "never" if math.isinf(value) else f"{value:.3g}"
