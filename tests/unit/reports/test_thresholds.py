import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from revertrisk.reports.thresholds import (
    MIN_NOT_REVERTED,
    Refusal,
    find_limits,
    limits_table,
    threshold_for_daily_number,
    threshold_for_rate,
)
from revertrisk.scoring.training.scored_edits import ScoredEdit, read_scores


def edits(number: int, wiki_id: str = "enwiki", group: str = "registered") -> list[ScoredEdit]:
    """Return scored edits: evenly spread scores, of which each tenth edit was reverted."""
    return [
        ScoredEdit("m", "1", wiki_id, (group,), index % 10 == 0, index / number) for index in range(number)
    ]


def test_a_limit_keeps_the_false_positive_rate() -> None:
    """At most the asked share of the edits that were not reverted score above the threshold."""
    first = find_limits(edits(1_000), 0.15)[0]
    assert (first.wiki_id, first.group, first.n, first.positives) == ("all", "all", 1000, 100)
    assert first.threshold.value is not None
    assert first.threshold.low is not None
    assert first.threshold.high is not None
    assert first.threshold.low < first.threshold.value < first.threshold.high
    above = [each for each in edits(1_000) if each.probability > first.threshold.value and not each.label]
    assert 0.145 < len(above) / 900 <= 0.15
    assert first.fpr.value == pytest.approx(len(above) / 900, abs=1e-4)


def test_each_wiki_and_group_has_its_own_limit_if_it_is_large_enough() -> None:
    """T4: a small sample has no threshold, and the table says how many there are."""
    limits = find_limits([*edits(500, "dewiki"), *edits(50, "frwiki", "anonymous")], 0.05)
    known = {(each.wiki_id, each.group): each.threshold.value is not None for each in limits}
    assert known == {
        ("all", "all"): True,
        ("all", "registered"): True,
        ("all", "anonymous"): False,
        ("dewiki", "all"): True,
        ("dewiki", "registered"): True,
        ("frwiki", "all"): False,
        ("frwiki", "anonymous"): False,
    }
    table = limits_table(limits)
    assert table.count("\n|") == 5
    assert "3 of 7 rows are left out: fewer than 200 edits that were not reverted" in table


@pytest.mark.parametrize("model", ["revertrisk-language-agnostic", "revertrisk-multilingual"])
def test_productions_scores_at_15_percent(shared: Path, model: str) -> None:
    """For each wiki of 10,000 real scores: a threshold that keeps the rate, if by one edit, where n allows; else none.

    `thresholds` says the same.
    """
    path = shared / "data/edits/revertrisk_official_scores_10k.csv.gz"
    ((_, known),) = read_scores(path, model_name=model).items()
    wikis: defaultdict[str, list[ScoredEdit]] = defaultdict(list)
    for edit in known:
        wikis[edit.wiki_id].append(edit)
    chosen = {}
    for wiki_id, edits_of in wikis.items():
        scores = np.array([each.probability for each in edits_of])
        found = threshold_for_rate(scores, np.array([each.label for each in edits_of]), 0.15)
        others = sorted(each.probability for each in edits_of if not each.label)
        if len(others) < MIN_NOT_REVERTED:
            assert isinstance(found, Refusal)
            assert found.missing == MIN_NOT_REVERTED - len(others)
            continue
        assert found == others[math.ceil(0.85 * (len(others) - 1))]
        above = sum(other > found for other in others)
        assert above <= 0.15 * len(others) < above + 2
        chosen[wiki_id] = found
    assert (len(chosen), len(wikis)) == (14, 47)
    asked = [each for each in known if each.wiki_id in {"dewiki", "nowiki"}]
    limits = {each.wiki_id: each.threshold.value for each in find_limits(asked, 0.15) if each.group == "all"}
    assert (limits["dewiki"], limits["nowiki"]) == (chosen["dewiki"], None)


def test_a_number_a_day() -> None:
    """The threshold flags at most the number a day, and one edit more would be too many; ties are not flagged."""
    scores = np.round(np.random.default_rng(1).random(5_000), 3)
    threshold = threshold_for_daily_number(scores, 20, 10)
    assert isinstance(threshold, float)
    assert (scores > threshold).sum() <= 200 < (scores >= threshold).sum()
    assert threshold_for_daily_number(scores, 20, 1000) == 0.0
    refusal = threshold_for_daily_number(scores, 20, 0.5)
    assert refusal == Refusal("0.5 per day are 10 edits on 20 days, 30 are needed: 40 more days", 20)
    assert math.ceil(30 / 0.5) == 60
