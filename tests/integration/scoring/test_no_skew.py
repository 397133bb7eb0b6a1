"""Training and serving see the same edit: the export read by training, and through the API by the server."""

import asyncio
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
from revertrisk.event_platform.page_change import RevisionRef
from revertrisk.scoring.artifact import shipped
from revertrisk.scoring.classifier import TorchClassifier
from revertrisk.scoring.feature_table import FEATURES, Group
from revertrisk.scoring.features import extract
from revertrisk.scoring.training.history import scorable_revisions
from revertrisk.wiki.table import WikiTable

EXPORT = (
    Path(__file__).resolve().parents[4] / "shared/data/edits/anarchism_enwiki_fullhistory_2001-2010.xml.lzma"
)
REVISIONS = 500
EVERY = 25
NOT_IN_AN_EXPORT = {Group.USER_HISTORY, Group.TAGS}
"""What the API tells of an edit and an export does not."""

needs_export = pytest.mark.skipif(not EXPORT.is_file(), reason=f"the export is not at {EXPORT.name}")


@needs_export
@pytest.mark.timeout(300)
async def test_training_and_serving_take_the_same_features() -> None:
    """500 edits of a page have equal features and texts both ways, and the same score to the last decimal.

    Features that an export cannot give are unknown in training; every other one is equal.
    """
    wikis = WikiTable.load()
    wiki = wikis.by_id("enwiki")
    assert wiki is not None
    trained = [
        revision
        for revision, _, _ in islice(
            scorable_revisions(EXPORT, wiki_id="enwiki", language="en"), 0, REVISIONS * EVERY, EVERY
        )
    ]
    assert len(trained) == REVISIONS
    classifiers = [
        TorchClassifier.load(shipped(name))
        for name in ("revertrisk-language-agnostic", "revertrisk-multilingual")
    ]
    metrics = ServerMetrics(CollectorRegistry())
    with open_history(EXPORT, wikis) as history:
        async with (
            listening(create_app(ActionApi(history), wikis, history.default_wiki_id), "127.0.0.1", 0) as url,
            open_resources(read_settings(wiki_url=url), classifiers[0], wikis, metrics) as resources,
        ):
            for revision in trained:
                ref = RevisionRef(wiki=wiki, rev_id=revision.rev_id, parent_id=revision.parent.rev_id)
                fetched = await resources.mediawiki.fetch(ref, asyncio.get_running_loop().time() + 30)
                assessed = assess(ref, fetched, None, page_is_known=False, max_bytes=10_000_000)
                assert isinstance(assessed, ScorableRevision), revision.rev_id
                read, served = extract(revision), extract(assessed.revision)
                for feature in FEATURES:
                    if feature.group in NOT_IN_AN_EXPORT:
                        assert read.values[feature.name] in {None, served.values[feature.name]}, feature.name
                    else:
                        assert read.values[feature.name] == served.values[feature.name], feature.name
                assert (read.text, read.changed_bytes) == (served.text, served.changed_bytes)
                for classifier in classifiers:
                    assert classifier.score([revision]) == classifier.score([assessed.revision])
