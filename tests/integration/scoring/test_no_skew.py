"""Training and serving see the same edit: the export read by training, and through the API by the server."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from mock_mediawiki.api import ActionApi
from mock_mediawiki.app import create_app, listening, open_history
from model_server.eligibility import ScorableRevision, assess
from model_server.metrics import ServerMetrics
from model_server.resources import open_resources
from model_server.settings import read_settings
from revertrisk.event_platform.page_change import Editor, RevisionRef, Skip, SkipReason
from revertrisk.scoring.artifact import shipped
from revertrisk.scoring.classifier import TorchClassifier
from revertrisk.scoring.feature_table import FEATURES, Group
from revertrisk.scoring.features import extract
from revertrisk.scoring.revision import Revision
from revertrisk.scoring.training.history import scorable_revisions
from revertrisk.wiki.table import WikiTable
from revertrisk.wiki.user_kinds import UserKind
from tests.fakes.real_data import EDITS, OLD_PAGES, PAGE

EXPORTS = {PAGE: 25, OLD_PAGES: 15}
"""One edit of so many is compared: pages change their character over the years."""
REVISIONS = 500
NOT_IN_AN_EXPORT = {Group.USER_HISTORY, Group.TAGS}
"""What the API or an event tells of an edit and an export does not."""
NOT_ARTICLES = {Skip(SkipReason.NAMESPACE), Skip(SkipReason.REDIRECT)}
REGISTERED = timedelta(days=400)


def editor_of(revision: Revision) -> Editor | None:
    """Return what an event would say of an author with an account; its id is any."""
    if revision.user.kind is not UserKind.REGISTERED:
        return None
    born = revision.timestamp - REGISTERED
    return Editor(user_id=5, edit_count=31, groups=("*", "patroller"), is_bot=False, registration_dt=born)


@pytest.mark.parametrize(
    "export",
    [
        PAGE,
        pytest.param(OLD_PAGES, marks=pytest.mark.ci("real data")),
    ],
)
@pytest.mark.timeout(300)
async def test_training_and_serving_take_the_same_features(shared: Path, export: str) -> None:
    """500 edits of each export have equal features and texts both ways, and the same score to the last decimal.

    What an export cannot give of an author is given to both: to the server by an event, to the reader as it stands.
    """
    wikis = WikiTable.load()
    wiki = wikis.by_id("enwiki")
    assert wiki is not None
    edits = scorable_revisions(EDITS / export, wiki_id="enwiki", language="en")
    classifiers = [
        TorchClassifier.load(shipped(name))
        for name in ("revertrisk-language-agnostic", "revertrisk-multilingual")
    ]
    metrics = ServerMetrics(CollectorRegistry())
    compared = 0
    with open_history(EDITS / export, wikis) as history:
        async with (
            listening(create_app(ActionApi(history), wikis, history.default_wiki_id), "127.0.0.1", 0) as url,
            open_resources(read_settings(wiki_url=url), classifiers[0], wikis, metrics) as resources,
        ):
            for revision, _, _ in islice(edits, 0, None, EXPORTS[export]):
                ref = RevisionRef(wiki=wiki, rev_id=revision.rev_id, parent_id=revision.parent.rev_id)
                fetched = await resources.mediawiki.fetch(ref, asyncio.get_running_loop().time() + 30)
                editor = editor_of(revision)
                assessed = assess(ref, fetched, editor, page_is_known=False, max_bytes=10_000_000)
                if assessed in NOT_ARTICLES:
                    continue
                assert isinstance(assessed, ScorableRevision), revision.rev_id
                known = revision if editor is None else replace(revision, user=assessed.revision.user)
                read, served = extract(known), extract(assessed.revision)
                for feature in FEATURES:
                    if feature.group in NOT_IN_AN_EXPORT and editor is None:
                        assert read.values[feature.name] in {None, served.values[feature.name]}, feature.name
                    elif feature.group is not Group.TAGS:
                        assert read.values[feature.name] == served.values[feature.name], feature.name
                assert (read.text, read.changed_bytes) == (served.text, served.changed_bytes)
                for classifier in classifiers:
                    assert classifier.score([known]) == classifier.score([assessed.revision])
                compared += 1
                if compared == REVISIONS:
                    break
    assert compared == REVISIONS
