import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revertrisk.scoring.artifact import shipped
from revertrisk.scoring.classifier import TorchClassifier
from revertrisk.scoring.revision import User
from revertrisk.scoring.spans import MAX_SPANS, changed_spans, without_span
from revertrisk.wiki.user_kinds import UserKind
from tests.fakes.edits import edit

SENTENCE = "The town was first mentioned in 812 and its market dates from 1266, when a charter was granted."
WORDS = SENTENCE.split()

any_text = st.text(alphabet=st.characters(), max_size=200)


@pytest.fixture(scope="module", params=["revertrisk-language-agnostic", "revertrisk-multilingual"])
def classifier(request: pytest.FixtureRequest) -> TorchClassifier:
    """Load each shipped model."""
    return TorchClassifier.load(shipped(request.param))


@settings(max_examples=40)
@given(any_text, any_text, st.none() | any_text, st.sampled_from(UserKind))
def test_contributions_sum_to_the_logit(
    classifier: TorchClassifier, old: str, new: str, comment: str | None, kind: UserKind
) -> None:
    """The average edit's logit and all contributions sum to the edit's logit, whatever the edit."""
    found = classifier.explain(edit(old, new, comment=comment, user=User(kind=kind)))
    assert found.base + sum(each.amount for each in found.contributions) == pytest.approx(
        found.logit, abs=1e-6
    )


def test_the_explained_score_is_the_score(classifier: TorchClassifier) -> None:
    """An explanation explains the very prediction that scoring gives."""
    revision = edit(" ".join(WORDS), " ".join([*WORDS, "lol you suck"]))
    assert classifier.explain(revision).prediction == classifier.score([revision])[0]


def test_the_rude_place_weighs_most(classifier: TorchClassifier) -> None:
    """Of a correction and an insult, the insult weighs more, and its place in the text is given."""
    old, new = (
        " ".join(WORDS),
        " ".join(WORDS).replace("812", "814").replace("granted", "granted LOL YOU SUCK!!!!"),
    )
    top = classifier.explain(edit(old, new)).spans[0]
    assert "LOL" in top.span.inserted
    assert new[top.span.start : top.span.end] == top.span.inserted
    assert top.weight > 0


def test_a_weight_is_what_removing_the_place_takes_off(classifier: TorchClassifier) -> None:
    """The weight of a place is the difference between the two logits."""
    revision = edit(" ".join(WORDS), " ".join(reversed(WORDS)))
    found = classifier.explain(revision)
    for each in found.spans:
        rest = classifier.explain(without_span(revision, each.span))
        assert found.logit - rest.logit == pytest.approx(each.weight, abs=1e-9)


def test_an_unknown_fact_has_a_contribution_without_a_value(classifier: TorchClassifier) -> None:
    """A hidden comment is shown as unknown, not as 0."""
    found = classifier.explain(edit("old words", "new words", user=User(kind=UserKind.IP)))
    values = {each.name: each.value for each in found.contributions}
    assert values["comment_length"] is None
    assert values["user_is_anonymous"] == 1


def test_an_explanation_shows_no_text_where_it_may_be_logged(classifier: TorchClassifier) -> None:
    """Neither words of the page nor of the comment stand in an explanation's repr."""
    assert "secret" not in repr(classifier.explain(edit("a", "secret words", comment="secret")))


@given(any_text, any_text)
def test_taking_back_every_place_gives_the_old_text(old: str, new: str) -> None:
    """The places cover all differences, none twice: from the last to the first, they lead back."""
    revision = edit(old, new)
    spans = changed_spans(old, new)
    assert bool(spans) == (old != new)
    for span in reversed(spans):
        revision = without_span(revision, span)
    if len(spans) < MAX_SPANS:
        assert revision.text == old


def test_a_rewritten_page_is_looked_at_in_bounded_time() -> None:
    """However much differs, at most `MAX_SPANS` places are looked at."""
    chance = random.Random(1)  # noqa: S311 - test data
    old = "\n".join(" ".join(chance.choices(WORDS, k=9)) for _ in range(3_000))
    new = "\n".join(" ".join(chance.choices(WORDS, k=9)) for _ in range(3_000))
    assert 1 <= len(changed_spans(old, new)) <= MAX_SPANS
    assert 1 <= len(changed_spans(old[:20_000], new[:20_000])) <= MAX_SPANS
