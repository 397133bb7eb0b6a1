"""Soft labels: a wiki counts once, and what the teachers are told of an author the student is told too."""

import lzma
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from revertrisk.scoring.training.soft_labels import mean_logits, read_soft_labels
from revertrisk.scoring.training.teachers import Teacher
from tests.fakes.exports import chain, export_of, page

BOT = "revision.user.is_bot"


def stump(key: str, wiki_id: str, feature: str, threshold: float) -> Teacher:
    """Return a teacher that says 1 above a threshold of one feature and 0 below it."""
    return Teacher(
        key=key,
        wiki_id=wiki_id,
        features=(feature,),
        sign=1.0,
        prior=0.0,
        learning_rate=1.0,
        roots=np.array([0]),
        left=np.array([1, -1, -1]),
        right=np.array([2, -1, -1]),
        feature=np.array([0, -2, -2]),
        threshold=np.array([threshold, -2, -2], np.float32),
        value=np.array([0.0, 0.0, 1.0]),
        center=np.array([0.0]),
        scale=np.array([1.0]),
    )


def test_each_wiki_counts_once() -> None:
    """Two models of a wiki weigh together what one of another does, whatever the spread of their logits."""
    known: list[dict[str, float]] = [
        {"a": 1.0, "b": 0.0},
        {"a": 0.0, "b": 1.0},
        {"a": 0.0, "b": 0.0},
        {"a": 1.0, "b": 1.0},
    ]
    steep = replace(stump("second", "one", "a", 0.5), learning_rate=9.0)
    logits = mean_logits([stump("first", "one", "a", 0.5), steep, stump("third", "two", "b", 0.5)], known)
    assert logits[0] == pytest.approx(logits[1])
    assert (logits.mean(), logits.std()) == (pytest.approx(0), pytest.approx(1))
    assert logits[2] < logits[0] < logits[3]


def test_edits_of_articles_are_scored_with_rights_that_the_student_knows(tmp_path: Path) -> None:
    """Talk pages are left out; an edit that the teachers took for a bot's is one to the student."""
    texts = [f"Text {number}." for number in range(400)]
    export = tmp_path / "pages.xml.xz"
    content = export_of(
        page(chain(*texts)), page(chain("a", "b"), page_id=2, title="Talk:Mill", namespace_id=1)
    )
    export.write_bytes(lzma.compress(content.encode()))
    teacher = stump("bots", "one", BOT, 0.5)
    read = read_soft_labels(export, [teacher], wiki_id="dewiki", language="de")
    assert (read.name, len(read.examples)) == ("pages", 399)
    by_rights = {
        known: {example.logit for example in read.examples if example.features.values["user_is_bot"] == known}
        for known in (None, 0.0, 1.0)
    }
    (unknown,), (plain,), (bot,) = by_rights[None], by_rights[0.0], by_rights[1.0]
    assert unknown == plain < bot
    again = read_soft_labels(export, [teacher], wiki_id="dewiki", language="de")
    assert again == read
    granted = [each.features.values["user_is_privileged"] for each in read.examples]
    assert granted.count(1.0) > granted.count(None) / 6
