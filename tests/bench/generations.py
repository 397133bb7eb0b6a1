"""Two generations of the models on the same edits: paired differences to the flag and to the earlier generation.

Run it as ``python -m tests.bench.generations EARLIER [DATA]``. EARLIER is a folder with the artefacts of the earlier
generation by name, from the history, say:
``git archive COMMIT revertrisk/scoring/artifacts | tar -x -C /tmp``. The edits of 2009 and 2015 are those that the
shipped models held out.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from revertrisk.scoring.artifact import shipped
from revertrisk.scoring.classifier import TorchClassifier, limit_threads
from revertrisk.scoring.training.evaluate import Evaluation, evaluate
from revertrisk.scoring.training.examples import Example, split_by_page_and_user
from revertrisk.scoring.training.figures import Estimate, Scores
from revertrisk.scoring.training.labelled_edits import read_labelled
from revertrisk.scoring.training.recipes import RECIPES
from revertrisk.scoring.training.sources import MAIN, MULTILINGUAL, NATURAL, WITH_AGES
from tests.fakes.real_data import EDITS

HELD_OUT = [0.2, *[0.16] * 5]
STRATA = (
    "anonymous",
    "registered",
    "age_under_1_day",
    "age_under_30_days",
    "age_30_days_to_1_year",
    "age_1_year_or_more",
)
LIMITS = ("fpr_0.01", "fpr_0.05", "fpr_0.15")


def held_out(data: Path) -> Iterator[tuple[str, Sequence[Example]]]:
    """Yield each set by name, without what the shipped models learnt from."""
    for file in (
        f"{MULTILINGUAL}.jsonl.gz",
        f"{NATURAL}.jsonl.gz",
        f"{MAIN}.jsonl.gz",
        f"{WITH_AGES}.tsv.bz2",
    ):
        read = read_labelled(data / file)
        edits: Sequence[Example] = read.examples
        if read.name == MAIN:
            edits = split_by_page_and_user(edits, HELD_OUT, 0)[0]
        elif read.name == WITH_AGES:
            edits = split_by_page_and_user(edits, [0.2] * 5, 0)[0]
        yield read.name, edits


def scores(model: TorchClassifier, edits: Sequence[Example]) -> Scores:
    """Return the probabilities of a model."""
    found = model.score_features([edit.features for edit in edits])
    return np.array([each.probability for each in found], dtype=np.float64)


def compared(name: str, earlier: Path, sets: Sequence[tuple[str, Sequence[Example]]]) -> Iterator[str]:
    """Yield the lines of a model's tables."""
    now, then = TorchClassifier.load(shipped(name)), TorchClassifier.load(earlier / name)
    yield f"\n{name}: {now.version} against {then.version}\n\n"
    yield "| set | edits / reverted | now | then | difference | flag | difference |\n" + "| --- " * 7 + "|\n"
    with_ages: list[tuple[Evaluation, Evaluation]] = []
    for title, edits in sets:
        was = scores(then, edits)
        found = evaluate(
            scores(now, edits), edits, thresholds=now.metadata.thresholds, baselines={"then": was}
        )
        before, flag = found.baselines["then"], found.baselines["anonymous_flag"]
        cells = (found.auc, before.auc, before.auc_difference, flag.auc, flag.auc_difference)
        yield f"| {title} | {found.n} / {found.positives} | {' | '.join(map(_cell, cells))} |\n"
        if title == WITH_AGES:
            with_ages.append((found, evaluate(was, edits, thresholds=then.metadata.thresholds)))
    for found, before_it in with_ages:
        yield f"\nOf the edits not reverted in {WITH_AGES}, the share flagged, now and then:\n\n"
        yield (
            "| authors | edits / reverted | AUC within | at 1 % | at 5 % | at 15 % |\n" + "| --- " * 6 + "|\n"
        )
        for stratum in STRATA:
            one, other = found.groups[stratum], before_it.groups[stratum]
            flagged = [f"{_cell(one.fpr[limit])}; {_cell(other.fpr[limit])}" for limit in LIMITS]
            yield f"| {stratum} | {one.n} / {one.positives} | {_cell(one.auc)} | {' | '.join(flagged)} |\n"


def _cell(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not defined"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def main() -> None:
    """Print the tables of both models."""
    limit_threads(1)
    earlier = Path(sys.argv[1])
    sets = list(held_out(Path(sys.argv[2]) if len(sys.argv) > 2 else EDITS))
    for name in RECIPES:
        sys.stdout.writelines(compared(name, earlier, sets))


if __name__ == "__main__":
    main()
