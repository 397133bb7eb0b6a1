"""Scoring beside the event loop: what waits goes together, and nobody is left waiting, whenever it ends."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from model_server.batching import BatchScorer
from model_server.errors import ModelFailureError, NotReadyError, OverloadedError
from model_server.metrics import ServerMetrics
from revertrisk.scoring.prediction import Prediction
from revertrisk.scoring.revision import Page, ParentRevision, Revision

AT = datetime(2026, 1, 1, tzinfo=UTC)
REVISION = Revision(
    wiki_id="enwiki",
    language="en",
    rev_id=1,
    timestamp=AT,
    text="new",
    parent=ParentRevision(rev_id=0, timestamp=AT, text="old"),
    page=Page(page_id=1, title="A", namespace_id=0),
)
BAD = 13


class SlowModel:
    """Scores when it is let go; one revision it cannot score."""

    name, version = "slow", "1"

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = threading.Event()
        self.released = threading.Event()

    def supports(self, wiki_id: str) -> bool:
        return bool(wiki_id)

    def score(self, revisions: Sequence[Revision]) -> list[Prediction]:
        self.batches.append([revision.rev_id for revision in revisions])
        self.begun.set()
        self.released.wait()
        if BAD in self.batches[-1]:
            raise ValueError("of this revision")
        return [Prediction(0.25, self.name, self.version) for _ in revisions]


@pytest.fixture
def model() -> SlowModel:
    return SlowModel()


@pytest.fixture
async def scorer(model: SlowModel) -> AsyncIterator[BatchScorer]:
    scorer = BatchScorer(model, batch_limit=3, batch_size=ServerMetrics(CollectorRegistry()).batch_size)
    yield scorer
    model.released.set()
    scorer.close()


def ask(scorer: BatchScorer, rev_id: int, seconds: float = 60) -> asyncio.Task[Prediction]:
    deadline = asyncio.get_running_loop().time() + seconds
    return asyncio.create_task(scorer.score(replace(REVISION, rev_id=rev_id), deadline))


async def test_what_waits_goes_together(scorer: BatchScorer, model: SlowModel) -> None:
    """The first goes at once; what comes meanwhile goes in batches, of so many at most."""
    first = ask(scorer, 1)
    await asyncio.to_thread(model.begun.wait)
    rest = [ask(scorer, rev_id) for rev_id in range(2, 7)]
    await asyncio.sleep(0)
    model.released.set()
    assert {prediction.probability for prediction in await asyncio.gather(first, *rest)} == {0.25}
    assert model.batches == [[1], [2, 3, 4], [5, 6]]


async def test_one_that_fails_spoils_no_other(scorer: BatchScorer, model: SlowModel) -> None:
    """Those in its batch are scored without it."""
    model.released.set()
    outcomes = await asyncio.gather(*(ask(scorer, rev_id) for rev_id in (1, BAD, 2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Prediction, ModelFailureError, Prediction]


async def test_who_has_gone_is_not_scored(scorer: BatchScorer, model: SlowModel) -> None:
    """A deadline that passes, or a caller that gives up, takes its revision out of what waits."""
    first = ask(scorer, 1)
    await asyncio.to_thread(model.begun.wait)
    late, gone, patient = ask(scorer, 2, seconds=0), ask(scorer, 3), ask(scorer, 4)
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(OverloadedError):
        await late
    model.released.set()
    await asyncio.gather(first, patient)
    assert model.batches == [[1], [4]]


async def test_at_the_end_nobody_is_left_waiting(scorer: BatchScorer, model: SlowModel) -> None:
    """What is being scored is told its score; what waits, or comes later, to try again elsewhere."""
    being_scored = ask(scorer, 1)
    await asyncio.to_thread(model.begun.wait)
    waiting = ask(scorer, 2)
    await asyncio.sleep(0)
    scorer.close()
    for told in (waiting, ask(scorer, 3)):
        with pytest.raises(NotReadyError):
            await told
    model.released.set()
    assert (await being_scored).probability == 0.25
