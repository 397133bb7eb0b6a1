import hashlib
import json
import random
import shutil
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors

from revertrisk.scoring.artifact import ArtifactError, load_metadata, save, shipped
from revertrisk.scoring.classifier import TorchClassifier
from revertrisk.scoring.prediction import NoProbabilityError, Prediction
from revertrisk.scoring.probe import UnusableModelError, check
from revertrisk.scoring.revision import Revision, User
from revertrisk.wiki.user_kinds import UserKind
from tests.fakes import edits

NAME = "revertrisk-language-agnostic"
WITH_WORDS = "revertrisk-multilingual"
ARTICLE = (
    "'''Lauterbach''' is a town in the hills above the river Lauter.\n\n"
    "== History ==\nThe town was first mentioned in 812. Its market dates from 1266.\n"
    "The railway came in 1870 and brought the first textile mills.\n\n"
    "== Economy ==\nWood and furniture are the main trades; tourism has grown since 1990.\n"
) * 3
EXPERIENCED = User(
    kind=UserKind.REGISTERED,
    edit_count=52_000,
    registered_at=edits.SAVED - timedelta(days=4000),
    groups=frozenset({"editor", "autoconfirmed"}),
    is_bot=False,
)
NEW_TEMPORARY = User(
    kind=UserKind.TEMPORARY, edit_count=0, registered_at=edits.SAVED, groups=frozenset({"temp"}), is_bot=False
)


@pytest.fixture(scope="module", params=[NAME, WITH_WORDS])
def classifier(request: pytest.FixtureRequest) -> TorchClassifier:
    """Load each shipped model."""
    return TorchClassifier.load(shipped(request.param))


def edit(new: str, *, old: str = ARTICLE, user: User = EXPERIENCED, comment: str | None = "") -> Revision:
    """Return an edit of the article."""
    return edits.edit(old, new, user=user, comment=comment, is_minor=False)


def added_reference() -> Revision:
    """Return a careful edit: a reference, explained."""
    return edit(
        ARTICLE.replace(
            "Its market dates from 1266.",
            "Its market dates from 1266.<ref>{{cite book |title=Hill towns |year=1998 |page=41}}</ref>",
            1,
        ),
        comment="/* History */ added a source for the market's charter",
    )


def varied_edits(number: int) -> list[Revision]:
    """Return edits that differ in text, size, author and comment, the same ones every time."""
    chance = random.Random(7)  # noqa: S311 - test data
    words = ARTICLE.split()
    users = [EXPERIENCED, NEW_TEMPORARY, User(kind=UserKind.IP), User()]
    found = []
    for _ in range(number):
        place = chance.randrange(len(ARTICLE))
        inserted = " ".join(chance.choices(words, k=chance.randrange(60)))
        removed = chance.randrange(200)
        found.append(
            edit(
                ARTICLE[:place] + inserted + ARTICLE[place + removed :],
                user=chance.choice(users),
                comment=chance.choice(["", None, "typo", "/* History */ more about the mills"]),
            )
        )
    return found


def test_each_model_knows_the_wikis_that_it_was_made_for() -> None:
    """The language-agnostic model takes every wiki, the multilingual one those of production's rule and test."""
    everywhere, some = (TorchClassifier.load(shipped(name)) for name in (NAME, WITH_WORDS))
    assert everywhere.supports("be_x_oldwiki")
    assert [some.supports(wiki_id) for wiki_id in ("dewiki", "testwiki", "be_x_oldwiki")] == [
        True,
        True,
        False,
    ]
    assert len(some.metadata.supported_wikis or ()) == 48


def test_words_matter_to_the_model_that_reads_them_only() -> None:
    """Of two insertions of as many letters the rude one adds far more, and only where words are read."""
    polite, rude = (
        edit(ARTICLE.replace("812.", f"812. {words}.", 1)) for words in ("good lake", "fuck suck")
    )
    without, with_words = (TorchClassifier.load(shipped(name)) for name in (NAME, WITH_WORDS))
    first, second = (
        {each.name: each.amount for each in with_words.explain(revision).contributions}
        for revision in (polite, rude)
    )
    assert second["inserted_text"] > first["inserted_text"] + 0.5
    assert "inserted_text" not in {each.name for each in without.explain(rude).contributions}


def test_words_of_an_unknown_script_add_nothing() -> None:
    """A text without any n-gram of the training data has no words in its explanation."""
    found = TorchClassifier.load(shipped(WITH_WORDS)).explain(edit("ⴰⵎⵓⵔ ⵜⵉⴼⵉⵏⴰⵖ", old="ⵜⴰⵎⴰⵣⵉⵖⵜ"))
    amounts = {each.name: each.amount for each in found.contributions}
    assert (amounts["inserted_text"], amounts["removed_text"]) == (0, 0)


def test_scores_do_not_depend_on_the_batch(classifier: TorchClassifier) -> None:
    """An edit has the same score alone, among 7 or 64, in any order."""
    varied = varied_edits(64)
    together = classifier.score(varied)
    assert [classifier.score([each])[0] for each in varied] == together
    in_sevens = [score for start in range(0, 64, 7) for score in classifier.score(varied[start : start + 7])]
    assert in_sevens == together
    order = random.Random(1).sample(range(64), 64)  # noqa: S311 - test data
    permuted = classifier.score([varied[index] for index in order])
    assert [permuted[order.index(index)] for index in range(64)] == together
    assert len({score.probability for score in together}) > 32
    assert classifier.score([]) == []


def test_scores_do_not_depend_on_the_thread(classifier: TorchClassifier) -> None:
    """Threads that score at once get what one gets alone."""
    varied = varied_edits(16)
    alone = classifier.score(varied)
    found: list[list[Prediction]] = []
    threads = [threading.Thread(target=lambda: found.append(classifier.score(varied))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 4


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(edit("", user=NEW_TEMPORARY), id="blanking"),
        pytest.param(
            edit(ARTICLE.replace("812.", "812. asdf lol!!!!", 1), user=NEW_TEMPORARY), id="nonsense"
        ),
        pytest.param(
            edit(ARTICLE.replace("Wood and furniture", "HAHAHAHAHA YOU ALL SUCK", 1), user=NEW_TEMPORARY),
            id="shouting",
        ),
        pytest.param(
            edit(ARTICLE.replace("The railway", "kkkkkkkkkkkkkkkkkkkkkkkk", 1), user=User(kind=UserKind.IP)),
            id="mashing",
        ),
    ],
)
def test_damage_by_a_new_account_scores_far_above_a_sourced_addition(
    classifier: TorchClassifier, bad: Revision
) -> None:
    """Obvious damage is at least five times as likely to be reverted as a reference by an experienced editor."""
    damage, reference = classifier.score([bad, added_reference()])
    assert damage.probability > 5 * reference.probability


def test_what_was_done_matters_besides_who_did_it(classifier: TorchClassifier) -> None:
    """Of two edits by the same author, nonsense scores above a sourced addition."""
    for user in (EXPERIENCED, NEW_TEMPORARY, User()):
        nonsense = edit(ARTICLE.replace("812.", "812. asdf lol!!!!", 1), user=user)
        careful = replace(added_reference(), user=user)
        scores = classifier.score([nonsense, careful])
        assert scores[0].probability > scores[1].probability


def test_an_unknown_author_scores_between_the_known_ones(classifier: TorchClassifier) -> None:
    """A hidden author is neither treated as anonymous nor as registered."""
    text = ARTICLE.replace("since 1990", "since 1985", 1)
    registered, hidden, address = (
        score.probability
        for score in classifier.score(
            [
                edit(text, user=User(kind=kind))
                for kind in (UserKind.REGISTERED, UserKind.UNKNOWN, UserKind.IP)
            ]
        )
    )
    assert registered < hidden < address


any_text = st.text(alphabet=st.characters(), max_size=300)


@given(any_text, any_text, st.none() | any_text, st.sampled_from(UserKind))
def test_any_edit_has_a_score(
    classifier: TorchClassifier, old: str, new: str, comment: str | None, kind: UserKind
) -> None:
    """No text, comment or author keeps the model from giving a probability."""
    (score,) = classifier.score([edit(new, old=old, comment=comment, user=User(kind=kind))])
    assert 0 <= score.probability <= 1


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    """Metadata that describes another network than the weights belong to stops the load, and takes no memory for it."""
    folder = Path(shutil.copytree(shipped(NAME), tmp_path / "model"))
    file = folder / "metadata.json"
    content = json.loads(file.read_text())
    for hidden in (content["network"]["hidden"] + 1, 2**20):
        content["network"]["hidden"] = hidden
        file.write_text(json.dumps(content))
        with pytest.raises(ArtifactError, match=r"model\.safetensors: tensors: do not fit"):
            TorchClassifier.load(folder)


def changed_weights(folder: Path, name: str, **changes: torch.Tensor | None) -> Path:
    """Give a shipped artefact with other tensors, whose digest its metadata has; None leaves one out."""
    tensors = load_file(shipped(name) / "model.safetensors")
    tensors |= {key.replace("__", "."): value for key, value in changes.items()}
    weights = to_safetensors({key: value for key, value in tensors.items() if value is not None})
    return with_weights(folder, name, weights)


def with_weights(folder: Path, name: str, weights: bytes) -> Path:
    metadata = load_metadata(shipped(name))
    changed = metadata.model_copy(update={"weights_sha256": hashlib.sha256(weights).hexdigest()})
    save(folder, changed, weights, "# card")
    return folder


WORDS = "revertrisk-multilingual"
BIAS = torch.zeros(8, dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (NAME, {"bias": BIAS + torch.nan}, "bias: has numbers that are not finite"),
        (NAME, {"bias": BIAS - torch.inf}, "bias: has numbers that are not finite"),
        (NAME, {"bias": BIAS + 1e308}, "tensors: have sums that are not finite"),
        (NAME, {"bias": BIAS.float()}, r"tensors: .* expected bias of float64 and shape \[8\]"),
        (NAME, {"bias": BIAS.long()}, "tensors: .* expected bias of float64"),
        (NAME, {"bias": BIAS[:4]}, "tensors: .* expected bias of float64"),
        (NAME, {"bias": None}, "tensors: .* expected bias of float64"),
        (NAME, {"more": BIAS}, "tensors: .* only"),
        (WORDS, {"vocabulary__removed": BIAS}, r"vocabulary\.removed: expected hashes"),
        (WORDS, {"vocabulary__removed": BIAS.bfloat16()}, r"vocabulary\.removed: expected hashes"),
        (WORDS, {"vocabulary__removed": torch.tensor([[1, 2]])}, r"vocabulary\.removed: expected hashes"),
        (WORDS, {"vocabulary__removed": torch.tensor([2, 1])}, r"vocabulary\.removed: expected hashes"),
        (WORDS, {"vocabulary__removed": torch.tensor([-1, 1])}, r"vocabulary\.removed: expected hashes"),
        (WORDS, {"vocabulary__removed": torch.tensor([2**32])}, r"vocabulary\.removed: expected hashes"),
        (WORDS, {"vocabulary__removed": None}, r"vocabulary: does not have the length text\.known_ngrams"),
    ],
)
def test_m2_m3_weights_that_are_not_the_networks_are_refused(
    tmp_path: Path, name: str, changes: dict[str, torch.Tensor | None], message: str
) -> None:
    """M2, M3: not finite, of another kind or shape, missing or one too many, although the digest is right."""
    folder = changed_weights(tmp_path / "model", name, **changes)
    with pytest.raises(ArtifactError, match=rf"model\.safetensors: {message}"):
        TorchClassifier.load(folder)


@pytest.mark.parametrize(
    "weights",
    [
        b"",
        b"\x00" * 8,
        b"\xff" * 16,
        b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (10**5).to_bytes(8, "little") + b"[" * 10**5,
        (64).to_bytes(8, "little")
        + b'{"bias":{"dtype":"F64","shape":[9],"data_offsets":[0,8]}}'.ljust(64)
        + b"x" * 8,
        (64).to_bytes(8, "little")
        + b'{"bias":{"dtype":"F8_E8M0","shape":[8],"data_offsets":[0,8]}}'.ljust(64)
        + b"x" * 8,
    ],
    ids=["empty", "no header", "a huge header", "text", "a list", "nested", "too short", "an odd type"],
)
def test_m3_what_is_no_safetensors_file_is_refused(tmp_path: Path, weights: bytes) -> None:
    """M3: with the file's name, and whatever the library makes of it."""
    folder = with_weights(tmp_path / "model", NAME, weights)
    with pytest.raises(ArtifactError, match=r"model\.safetensors: (file: is not|tensors: do not fit)"):
        TorchClassifier.load(folder)


def test_a_score_that_is_not_finite_is_never_returned() -> None:
    """What a model makes of one edit may still be no number: it fails closed instead of publishing nonsense."""
    classifier = TorchClassifier.load(shipped(NAME))
    # No weights that load make it so for every edit.
    classifier._calibrated.bias.fill_(torch.nan)  # noqa: SLF001
    with pytest.raises(NoProbabilityError):
        classifier.score([added_reference()])
    with pytest.raises(UnusableModelError, match="NoProbabilityError"):
        check(classifier)
