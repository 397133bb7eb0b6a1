import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revertrisk.scoring import ngrams
from revertrisk.scoring.features import ChangedText
from revertrisk.scoring.vocabulary import learn_vocabulary

any_text = st.text(alphabet=st.characters(), max_size=200)


def test_the_hash_is_part_of_the_format() -> None:
    """These values are in artefacts: a change of the hash would make every trained model forget its words."""
    assert ngrams.hashes("ab").tolist() == sorted(ngrams.hashes("AB ").tolist())
    assert ngrams.hashes("lol").tolist() == [
        502224204, 1458606342, 2318096393, 2469088602, 2502645792, 2599776904, 3341506568, 3401746627, 4260577100,
    ]  # fmt: skip
    assert ngrams.hashes("ünï 漢").tolist() == [
        254609855, 321397693, 433702247, 590040412, 1495804553, 1586084484, 1637041993, 2146536020, 2301100589,
        3013081620, 3403761611, 3418385980, 3526055998, 3576385490, 4257408708,
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_nothing_visible_has_no_ngrams(text: str) -> None:
    """White space alone holds nothing to learn from."""
    assert len(ngrams.hashes(text)) == 0


@given(any_text)
def test_each_ngram_counts_once_whatever_the_text(text: str) -> None:
    """Hashes are distinct and in order, lone surrogates and NUL included; spacing and case do not matter."""
    found = ngrams.hashes(text)
    assert (np.diff(found.astype(np.int64)) > 0).all()
    assert ngrams.hashes(f"  {text}\n").tolist() == found.tolist()


def test_a_long_text_is_read_up_to_a_bound() -> None:
    """What follows the first 4,096 characters changes nothing."""
    start = "word " * 1_000
    assert ngrams.hashes(start + "never read").tolist() == ngrams.hashes(start).tolist()


def test_only_what_enough_edits_have_is_learnt() -> None:
    """An n-gram of too few edits is not in the vocabulary, and is not found."""
    vocabulary = learn_vocabulary(
        [ChangedText(inserted="vandal"), ChangedText(inserted="vandal x")], min_edits=2
    )
    shared = set(ngrams.hashes("vandal").tolist()) & set(ngrams.hashes("vandal x").tolist())
    assert len(vocabulary) == len(shared)
    assert len(vocabulary.find(ChangedText(inserted="q")).rows) == 0


def test_each_side_has_rows_of_its_own() -> None:
    """The same word inserted, removed and in the comment is three different things."""
    text = ChangedText(inserted="word", removed="word", comment="word")
    vocabulary = learn_vocabulary([text] * 3, min_edits=3)
    rows = [
        set(vocabulary.find(part).rows.tolist())
        for part in (ChangedText(inserted="word"), ChangedText(removed="word"), ChangedText(comment="word"))
    ]
    assert sum(map(len, rows)) == len(vocabulary) == len(set().union(*rows))
    assert vocabulary.find(text).rows.tolist() == list(range(len(vocabulary)))


def test_unknown_ngrams_thin_out_the_known_ones() -> None:
    """A known word weighs less among words that nobody knows."""
    vocabulary = learn_vocabulary([ChangedText(inserted="word")] * 3, min_edits=3)
    alone, among = (vocabulary.find(ChangedText(inserted=text)) for text in ("word", "word qqq jjj xxx"))
    assert among.weights.max() < alone.weights.max()


def test_an_empty_vocabulary_knows_nothing() -> None:
    """Without training texts nothing is found."""
    assert len(learn_vocabulary([], min_edits=3).find(ChangedText(inserted="word")).rows) == 0
