"""The consumer against a brute-force oracle: any order, any duplicates, any restarts."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revertrisk.consumer import Consumer, Delivery, Drop, NaturalKey, PredictionReader, PredictionRecord
from tests.unit.consumer.prediction_events import MODEL, make_event

Event = dict[str, Any]

VERSIONS = ["revertrisk-events-2", "revertrisk-events-9", "revertrisk-events-10"]
"""In the order of their release, which is not that of their letters."""
SOMETHING = {
    "wiki_id": st.sampled_from(["nnwiki", "sewiki"]),
    "page_id": st.integers(1, 2),
    "rev_id": st.integers(1, 4),
    "kind": st.sampled_from(["edit", "undelete"]),
    "model_name": st.sampled_from([MODEL, "revertrisk-multilingual"]),
    "model_version": st.sampled_from(VERSIONS),
    "second": st.integers(0, 3),
}
NOISE: list[Any] = [
    {"meta": {"domain": "canary"}},
    {"$schema": "/mediawiki/page/prediction_classification_change/2.0.0"},
    {"$schema": "/mediawiki/page/prediction_classification_change/1.3.0"},
    None,
    "gibberish",
]
LOGS = st.lists(st.fixed_dictionaries(SOMETHING) | st.sampled_from(range(len(NOISE))), max_size=40)
"""A stream: predictions drawn from few pages and revisions, so with duplicates in any order, and noise."""
CRASHES = st.lists(
    st.fixed_dictionaries({"taken": st.integers(0, 15), "commits": st.booleans(), "lost": st.integers(0, 5)}),
    max_size=5,
)
"""Runs that end too early: how much each takes, commits it or not, and takes without a commit after that."""
REWINDS = st.integers(0, 5)


def event_of(drawn: Any) -> Any:
    """Make the event that was drawn; its id and score follow from its key, as a producer's do."""
    if isinstance(drawn, int):
        return NOISE[drawn]
    named = "|".join(str(value) for name, value in drawn.items() if name != "second")
    name = uuid.uuid5(uuid.NAMESPACE_URL, named)
    return make_event(
        meta__id=str(name),
        meta__dt=f"2026-01-31T12:00:0{drawn['second']}Z",
        wiki_id=drawn["wiki_id"],
        page__page_id=drawn["page_id"],
        revision__rev_id=drawn["rev_id"],
        page_change_kind=drawn["kind"],
        predicted_classification__model_name=drawn["model_name"],
        predicted_classification__model_version=drawn["model_version"],
        predicted_classification__probabilities={"true": name.int % 1000 / 1000},
    )


def deliveries(log: list[Any], start: int = 0) -> Iterator[Delivery]:
    """Deliver a log from a place on; the token is the place of the next event."""
    for place in range(start, len(log)):
        yield Delivery(log[place], str(place + 1))


def predictions_in(log: list[Any]) -> list[PredictionRecord]:
    read = map(PredictionReader().read, log)
    return [each for each in read if isinstance(each, PredictionRecord)]


def expected_pages(log: list[Any]) -> list[PredictionRecord]:
    """Work out the rows by brute force: compare every prediction with all others of its page."""

    def beats(one: PredictionRecord, other: PredictionRecord) -> bool:
        if one.rev_id != other.rev_id:
            return one.rev_id > other.rev_id
        if one.model_version != other.model_version:
            return VERSIONS.index(one.model_version) > VERSIONS.index(other.model_version)
        if one.received_at != other.received_at:
            return one.received_at > other.received_at
        return one.event_id > other.event_id

    def same_page(one: PredictionRecord, other: PredictionRecord) -> bool:
        return (one.model_name, one.wiki_id, one.page_id) == (other.model_name, other.wiki_id, other.page_id)

    found = predictions_in(log)
    rows = {one for one in found if not any(same_page(one, other) and beats(other, one) for other in found)}
    return sorted(rows, key=lambda row: (row.model_name, row.wiki_id, row.page_id))


def keys(predictions: Iterable[PredictionRecord]) -> list[NaturalKey]:
    return [each.natural_key for each in predictions]


@given(LOGS)
def test_every_prediction_is_new_once_and_each_page_has_its_greatest(drawn: list[Any]) -> None:
    """Whatever the order and the duplicates: one new prediction for each key, one row for each page."""
    log = [event_of(each) for each in drawn]
    with Consumer() as consumer:
        new = keys(consumer.new_predictions(deliveries(log)))
        assert sorted(new) == sorted(set(keys(predictions_in(log))))
        assert list(consumer.pages()) == expected_pages(log)


@given(LOGS, st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_no_row(drawn: list[Any], random: Any) -> None:
    """Where the last one won, this would fail: the rows of a shuffled and doubled stream are the same."""
    log = [event_of(each) for each in drawn]
    shuffled = log * 2
    random.shuffle(shuffled)
    with Consumer() as one, Consumer() as other:
        for consumer, stream in ((one, log), (other, shuffled)):
            list(consumer.new_predictions(deliveries(stream)))
        assert list(one.pages()) == list(other.pages())
        assert one.tally()["new"] == other.tally()["new"]


@given(LOGS, CRASHES, REWINDS, st.integers(1, 7))
def test_restarts_lose_nothing_and_count_nothing_twice(
    drawn: list[Any], crashes: list[Any], rewind: int, commit_every: int
) -> None:
    """Killed anywhere and resumed from its own token, or a little before it, a consumer ends up the same."""
    log = [event_of(each) for each in drawn]
    yielded: list[NaturalKey] = []

    def opened() -> Consumer:
        return Consumer(file, commit_every=commit_every)

    def rest(consumer: Consumer) -> Iterator[Delivery]:
        return deliveries(log, max(0, int(consumer.resume_at or 0) - rewind))

    with TemporaryDirectory() as folder:
        file = Path(folder) / "predictions.sqlite"
        for crash in crashes:
            with opened() as consumer:
                coming = rest(consumer)
                taken = map(consumer.take, islice(coming, crash["taken"]))
                yielded += keys(each for each in taken if isinstance(each, PredictionRecord))
                if crash["commits"]:
                    consumer.commit()
                for delivery in islice(coming, crash["lost"]):
                    consumer.take(delivery)
        with opened() as consumer:
            yielded += keys(consumer.new_predictions(rest(consumer)))
            assert list(consumer.pages()) == expected_pages(log)
            assert consumer.tally()["new"] == len(set(keys(predictions_in(log))))
    assert set(yielded) == set(keys(predictions_in(log)))


@given(LOGS)
def test_rows_do_not_depend_on_the_memory_for_duplicates(drawn: list[Any]) -> None:
    """A consumer that remembers one key sees duplicates as new, and has the same rows all the same."""
    log = [event_of(each) for each in drawn]
    with Consumer(remembered=1) as consumer:
        list(consumer.new_predictions(deliveries(log)))
        assert list(consumer.pages()) == expected_pages(log)


def test_the_memory_for_duplicates_is_bounded() -> None:
    """The oldest keys are forgotten first; those within the bound are still known."""
    log = [make_event(revision__rev_id=rev_id) for rev_id in range(10)]
    with Consumer(remembered=3) as consumer:
        assert len(list(consumer.new_predictions(deliveries(log)))) == 10
        assert [consumer.take(Delivery(event)) for event in log[7:]] == [Drop.DUPLICATE] * 3
        assert isinstance(consumer.take(Delivery(log[0])), PredictionRecord)


def test_everything_that_is_dropped_is_counted() -> None:
    """Nothing disappears silently: the tally has every delivery, and every reason from the start."""
    with Consumer() as consumer:
        assert consumer.tally() == {"new": 0, "canary": 0, "other_schema": 0, "invalid": 0, "duplicate": 0}
        log = [make_event(), make_event(meta__dt="2026-02-01T00:00:00Z"), *NOISE]
        list(consumer.new_predictions(deliveries(log)))
        assert consumer.tally() == {
            "new": 1,
            "duplicate": 1,
            "canary": 1,
            "other_schema": 1,
            "invalid": 3,
        }


def test_the_same_prediction_on_two_streams_is_one() -> None:
    """A backfill that repeats the live stream has other ids, and the same natural keys."""
    backfilled = make_event(
        meta__stream="mediawiki.page_revert_risk_prediction_change.v1.backfill", meta__id="another"
    )
    with Consumer() as consumer:
        assert isinstance(consumer.take(Delivery(make_event())), PredictionRecord)
        assert consumer.take(Delivery(backfilled)) is Drop.DUPLICATE


def test_two_models_have_a_row_each() -> None:
    """Reading both streams at once mixes nothing: a page has one row for each model."""
    other = make_event(predicted_classification__model_name="revertrisk-multilingual")
    with Consumer() as consumer:
        for event in (make_event(), other):
            consumer.take(Delivery(event))
        assert [row.model_name for row in consumer.pages()] == [MODEL, "revertrisk-multilingual"]
        row = consumer.page(MODEL, "nnwiki", 12)
        assert row is not None
        assert row.probability == 0.25


def test_a_page_without_a_prediction_has_no_row() -> None:
    """Absence is not a low risk: there is no default, neither for another page nor for another model's row."""
    with Consumer() as consumer:
        consumer.take(Delivery(make_event()))
        assert consumer.page(MODEL, "nnwiki", 13) is None
        assert consumer.page("revertrisk-multilingual", "nnwiki", 12) is None


def test_a_newer_model_version_replaces_an_older_one_of_the_same_revision_only() -> None:
    """While versions interleave, a later revision beats a later version; for one revision the version decides."""
    log = [
        make_event(predicted_classification__model_version="revertrisk-events-10"),
        make_event(predicted_classification__model_version="revertrisk-events-9"),
    ]
    with Consumer() as consumer:
        list(consumer.new_predictions(deliveries(log)))
        assert [row.model_version for row in consumer.pages()] == ["revertrisk-events-10"]
        newer = make_event(
            revision__rev_id=346, predicted_classification__model_version="revertrisk-events-9"
        )
        consumer.take(Delivery(newer))
        assert [(row.rev_id, row.model_version) for row in consumer.pages()] == [(346, "revertrisk-events-9")]


def test_what_was_yielded_last_is_not_committed_before_it_is_dealt_with(tmp_path: Path) -> None:
    """A crash while a prediction is being handled brings that prediction again."""
    log = [make_event(revision__rev_id=rev_id) for rev_id in (1, 2, 3)]
    with Consumer(tmp_path / "one.sqlite", commit_every=1) as consumer:
        coming = consumer.new_predictions(deliveries(log))
        assert [next(coming).rev_id, next(coming).rev_id] == [1, 2]
    with Consumer(tmp_path / "one.sqlite") as consumer:
        assert consumer.resume_at == "1"
        rest = deliveries(log, int(consumer.resume_at))
        assert [each.rev_id for each in consumer.new_predictions(rest)] == [2, 3]


def test_d4_the_first_place_is_kept_at_once(tmp_path: Path) -> None:
    """A new consumer that is killed early has a place; the next ones are kept by count or by time."""
    for commit_after_s, kept in ((3600.0, "1"), (1e-9, "4")):
        file = tmp_path / f"{kept}.sqlite"
        with Consumer(file, commit_after_s=commit_after_s) as consumer:
            log = [make_event(revision__rev_id=rev_id) for rev_id in range(1, 6)]
            assert len(list(islice(consumer.new_predictions(deliveries(log)), 5))) == 5
        with Consumer(file) as consumer:
            assert consumer.resume_at == kept


async def test_d4_a_stop_while_waiting_keeps_what_was_dealt_with(tmp_path: Path) -> None:
    """A consumer that is cancelled between two predictions has kept all that it had."""
    waits = asyncio.Event()

    async def coming() -> AsyncIterator[Delivery]:
        for delivery in deliveries([make_event(revision__rev_id=rev_id) for rev_id in (1, 2, 3)]):
            yield delivery
        waits.set()
        await asyncio.Event().wait()

    async def watch() -> None:
        with Consumer(tmp_path / "one.sqlite") as consumer:
            async for _ in consumer.follow(coming()):
                pass

    watching = asyncio.create_task(watch())
    await waits.wait()
    watching.cancel()
    await asyncio.wait({watching})
    with Consumer(tmp_path / "one.sqlite") as consumer:
        assert consumer.resume_at == "3"


def test_a_source_that_cannot_resume_everywhere_keeps_the_token_before() -> None:
    """A delivery without a token does not make the consumer forget where it was."""
    with Consumer() as consumer:
        assert consumer.resume_at is None
        consumer.take(Delivery(make_event(), "7"))
        consumer.take(Delivery(make_event()))
        consumer.commit()
        assert consumer.resume_at == "7"


@pytest.mark.parametrize("name", ["remembered", "commit_every", "commit_after_s"])
def test_a_number_that_cannot_work_is_named(name: str) -> None:
    """A bound of nothing is a mistake."""
    with pytest.raises(ValueError, match=name):
        Consumer(**{name: 0})
