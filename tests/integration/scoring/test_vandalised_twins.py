"""Good edits of the sample pages beside vandalised twins: the same author, comment and page, other words."""

# ruff: noqa: RUF001 - real words in many scripts look like others
from dataclasses import replace
from datetime import datetime

import pytest

from mock_mediawiki.samples import SampleHistory
from revertrisk.scoring.artifact import shipped
from revertrisk.scoring.classifier import TorchClassifier
from revertrisk.scoring.revision import Page, ParentRevision, Revision, User
from revertrisk.wiki.history import ChangeKind, SampleLabel, StoredRevision
from revertrisk.wiki.table import WikiTable

VANDALISM = {
    "arwiki": "ههههههههههههه انتم اغبياء كلكم!!!!!",
    "be_x_oldwiki": "ХАХАХАХАХА вы ўсе дурні!!!!!",
    "dewiki": "HAHAHAHAHA ihr seid alle doof!!!!!",
    "enwiki": "HAHAHAHAHA you are all stupid!!!!!",
    "eswiki": "JAJAJAJAJA sois todos tontos!!!!!",
    "frwiki": "HAHAHAHAHA vous êtes tous nuls!!!!!",
    "hewiki": "חחחחחחחחחחחחח כולכם טיפשים!!!!!",
    "hiwiki": "हाहाहाहाहाहाहा तुम सब पागल हो!!!!!",
    "jawiki": "wwwwwwwwwwwwwww ばかばかばか！！！！！",
    "kowiki": "ㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋ 다 바보들이야!!!!!",
    "ptwiki": "KKKKKKKKKKKKK vocês são todos burros!!!!!",
    "ruwiki": "АХАХАХАХАХА вы все дураки!!!!!",
    "trwiki": "HAHAHAHAHA hepiniz aptalsınız!!!!!",
    "ukwiki": "АХАХАХАХАХА ви всі дурні!!!!!",
    "zhwiki": "哈哈哈哈哈哈哈哈哈哈哈哈 你们都是笨蛋！！！！！",
}
"""What a vandal might write, by wiki; written for this test."""


@pytest.fixture(scope="module")
def history() -> SampleHistory:
    """Read the sample pages."""
    return SampleHistory.shipped(WikiTable.load())


@pytest.fixture(scope="module")
def classifier() -> TorchClassifier:
    """Load the multilingual model."""
    return TorchClassifier.load(shipped("revertrisk-multilingual"))


def good_edits(history: SampleHistory, wiki_id: str) -> list[Revision]:
    """Return the good edits of a wiki's sample pages that add text and undo nothing."""
    found = []
    for stored in history.changes():
        if (stored.wiki_id, stored.label, stored.kind) != (wiki_id, SampleLabel.GOOD, ChangeKind.EDIT):
            continue
        parent = history.revision(wiki_id, stored.parent_id)
        if parent is not None and not stored.hidden and (stored.size or 0) > (parent.size or 0):
            found.append(revision(history, stored, parent))
    return found


def revision(history: SampleHistory, stored: StoredRevision, parent: StoredRevision) -> Revision:
    """Return a stored revision as a server would score it."""
    user = stored.user
    registered = None if user is None or user.registered is None else datetime.fromisoformat(user.registered)
    return Revision(
        wiki_id=stored.wiki_id,
        language=stored.wiki_id.removesuffix("wiki"),
        rev_id=stored.rev_id,
        timestamp=datetime.fromisoformat(stored.timestamp),
        text=history.text(stored) or "",
        parent=ParentRevision(
            rev_id=parent.rev_id,
            timestamp=datetime.fromisoformat(parent.timestamp),
            text=history.text(parent) or "",
        ),
        page=Page(page_id=stored.page_id, title=stored.page_title, namespace_id=stored.namespace_id),
        user=User()
        if user is None
        else User(
            kind=user.kind,
            edit_count=user.edit_count,
            registered_at=registered,
            groups=None if user.groups is None else frozenset(user.groups),
        ),
        comment=stored.comment,
        is_minor=stored.is_minor,
    )


def vandalised(edit: Revision) -> Revision:
    """Return the edit with an insult in the place of what it added."""
    lines = edit.parent.text.split("\n")
    longest = max(range(len(lines)), key=lambda place: len(lines[place]))
    lines[longest] += " " + VANDALISM[edit.wiki_id]
    return replace(edit, text="\n".join(lines))


@pytest.mark.parametrize("wiki_id", sorted(VANDALISM))
def test_a_vandalised_twin_scores_higher(
    history: SampleHistory, classifier: TorchClassifier, wiki_id: str
) -> None:
    """In each language, every good edit scores below the same edit with an insult instead, and clearly so."""
    edits = good_edits(history, wiki_id)
    assert edits
    for edit in edits:
        good, bad = classifier.score([edit, vandalised(edit)])
        assert bad.probability > 1.5 * good.probability, edit.rev_id
