"""The same scores on a GPU as on the CPU."""

import random
from datetime import UTC, datetime

import pytest
import torch

from revertrisk.scoring.artifact import shipped
from revertrisk.scoring.classifier import TorchClassifier
from revertrisk.scoring.revision import Page, ParentRevision, Revision, User
from revertrisk.wiki.user_kinds import UserKind

SAVED = datetime(2026, 3, 1, tzinfo=UTC)
WORDS = "the town was first mentioned in 812 lol stupid market charter Kirche город"


def edits(number: int) -> list[Revision]:
    """Return edits of many kinds, the same ones every time."""
    chance = random.Random(5)  # noqa: S311 - test data
    words = WORDS.split()
    return [
        Revision(
            wiki_id="enwiki",
            language="en",
            rev_id=2,
            timestamp=SAVED,
            text=" ".join(chance.choices(words, k=chance.randrange(80))),
            parent=ParentRevision(rev_id=1, timestamp=SAVED, text=" ".join(chance.choices(words, k=40))),
            page=Page(page_id=1, title="T", namespace_id=0),
            user=User(kind=chance.choice(list(UserKind))),
            comment=chance.choice([None, "", "a market"]),
        )
        for _ in range(number)
    ]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("name", ["revertrisk-language-agnostic", "revertrisk-multilingual"])
def test_a_gpu_gives_the_scores_of_the_cpu(name: str) -> None:
    """Scores on both devices differ by less than 0.0001, and an explanation works on either."""
    on_cpu, on_gpu = (TorchClassifier.load(shipped(name), device) for device in ("cpu", "cuda"))
    sample = edits(256)
    for ours, theirs in zip(on_cpu.score(sample), on_gpu.score(sample), strict=True):
        assert ours.probability == pytest.approx(theirs.probability, abs=1e-4)
    ours, theirs = (each.explain(sample[0]).logit for each in (on_cpu, on_gpu))
    assert ours == pytest.approx(theirs, abs=1e-4)
