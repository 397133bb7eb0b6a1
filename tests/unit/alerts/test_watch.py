"""A watch over made-up streams: the incidents that it finds, and their messages."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from revertrisk.alerts.bins import LEAP_S, StreamClock, Taken
from revertrisk.alerts.events import read_event
from revertrisk.alerts.incidents import Incident
from revertrisk.alerts.metrics import WatchMetrics
from revertrisk.alerts.settings import WatchSettings
from revertrisk.alerts.store import Store
from revertrisk.alerts.watch import Watch
from revertrisk.alerts.wording import in_words
from tests.fakes.edit_streams import MODEL, Stream, canary, page_change, prediction

DAY = 1440
LONG = DAY + 660
BEGIN = 29_000_160
"""A midnight."""


def fed(lines: Iterable[bytes], store: Store, live_since: int = 0, **settings: Any) -> Watch:
    watch = Watch(WatchSettings(receivers=("way",), **settings), store, live_since=live_since, now=0.0)
    for line in lines:
        watch.take(read_event(orjson.loads(line), MODEL), "p", 0.0)
    watch.save()
    store.commit()
    return watch


def messages(store: Store) -> list[dict[str, Any]]:
    return [each.document for each in store.outgoing("way")]


def surging(begin: int, minutes: int, times: float) -> Any:
    return lambda now: times if begin <= now < begin + minutes else 1.0


@pytest.fixture(scope="module")
def surge_of_edits() -> list[bytes]:
    begin = BEGIN + DAY + 180
    stream = Stream(BEGIN, LONG, {"enwiki": 3.0, "dewiki": 1.0}, {"enwiki": surging(begin, 60, 6.0)})
    return list(stream.events())


def test_a_surge_has_two_messages_with_its_pages(surge_of_edits: list[bytes]) -> None:
    """One start and one end with one id; the start says since when and how much, the end how large it was."""
    with Store(":memory:") as store:
        fed(surge_of_edits, store)
        start, end = messages(store)
    assert (start["kind"], end["kind"]) == ("start", "end")
    assert start["incident_id"] == end["incident_id"]
    assert (start["wiki_id"], start["series"], start["provisional"]) == ("enwiki", "edits", True)
    assert start["ratio"] > 2
    assert end["excess"] == pytest.approx(3 * 5 * 60, rel=0.4)
    assert 60 <= end["minutes"] < 120
    assert len(start["pages"]) == 5
    assert start["pages"][0]["url"].startswith("https://en.wikipedia.org/wiki/Page_")
    words = in_words(end)
    assert "enwiki: the surge of edits has ended" in words
    assert "Somebody" not in str([start, end]) + words


def test_a_replay_sends_messages_about_open_incidents_only() -> None:
    """An incident that ended before the watch is live is stored, and not sent; one that is still open is sent."""
    surges = [BEGIN + DAY + 120, BEGIN + DAY + 400]
    shape = surging(surges[0], 60, 6.0), surging(surges[1], 120, 6.0)
    stream = Stream(BEGIN, LONG, {"enwiki": 3.0}, {"enwiki": lambda now: max(shape[0](now), shape[1](now))})
    with Store(":memory:") as store:
        fed(stream.events(), store, live_since=surges[1] + 60)
        assert [each["kind"] for each in messages(store)] == ["start", "end"]
        assert len({each["incident_id"] for each in messages(store)}) == 1
        assert len(store.incidents()) == 2


def test_a_title_of_a_young_page_is_not_sent() -> None:
    """A page that was created within a day is shown with its id, and a deleted one without its title."""
    begin = BEGIN + DAY + 180
    lines = list(Stream(BEGIN, DAY + 180, {"enwiki": 2.0}).events())
    for second in range(1200):
        page = {0: 1001, 1: 1002}.get(second % 3, 1003)
        kind = "create" if second == 0 else "edit"
        lines.append(page_change("enwiki", begin * 60 + second, 10**6 + second, page, kind))
        if second == 30:
            lines.append(page_change("enwiki", begin * 60 + second, 10**7, 1002, "delete"))
    lines.append(canary(begin * 60 + 1300, 1))
    with Store(":memory:") as store:
        # Titles that come again after the deletion are those of a page that was restored.
        fed([line for line in lines if b'"page_id":1002' not in line or b"delete" in line], store)
        pages = {page["page_id"]: page for page in messages(store)[0]["pages"]}
    assert "title" not in pages[1001]
    assert pages[1001]["url"] == "https://en.wikipedia.org/?curid=1001"
    assert pages[1003]["title"] == "Page_1003"


def test_risk_is_distinguished_from_more_edits() -> None:
    """More edits with a usual share are a surge of edits; a greater share of high-risk edits is one of the share."""
    begin = BEGIN + DAY + 180
    attacked = Stream(
        BEGIN, LONG, {"enwiki": 4.0}, predicted=1.0,
        risky=lambda now: 0.5 if begin <= now < begin + 60 else 0.06,
    )  # fmt: skip
    with Store(":memory:") as store:
        fed(attacked.events(), store)
        assert {each["series"] for each in messages(store)} == {"high_risk", "share"}
    busy = Stream(
        BEGIN,
        2 * DAY,
        {"enwiki": 8.0},
        {"enwiki": surging(begin, 60, 5.0)},
        predicted=1.0,
        risky=lambda _: 0.06,
    )
    with Store(":memory:") as store:
        fed(busy.events(), store)
        assert {each["series"] for each in messages(store)} == {"edits", "high_risk"}


def test_a_new_version_has_one_notice() -> None:
    """Another version of the model, whatever its scores, is one notice and no alarm of the risk series."""
    change = BEGIN + DAY + 200
    stream = Stream(
        BEGIN, LONG, {"enwiki": 4.0}, predicted=1.0,
        risky=lambda now: 0.3 if now >= change else 0.05,
        version=lambda now: "4" if now >= change + 10 or (now >= change and now % 2) else "3",
    )  # fmt: skip
    with Store(":memory:") as store:
        watch = fed(stream.events(), store)
        (notice,) = messages(store)
        assert store.history.counts("enwiki", "high_risk", BEGIN, change).sum() == 0
        assert {series for _, series in watch.banks.names()} == {"edits"}
    assert notice["kind"] == "notice"
    assert "the model version changed from 3 to 4" in notice["cause"]
    assert "known_by" in notice


@pytest.mark.parametrize(
    "changed", [{"threshold": 0.1}, {"thresholds": {"enwiki": 0.1}}, {"model_name": "another"}], ids=str
)
def test_another_threshold_or_model_begins_a_new_baseline(changed: dict[str, Any]) -> None:
    """Continued with other settings of risk, a watch sends one notice, and deletes its counts of predictions."""
    stream = Stream(BEGIN, LONG, {"enwiki": 4.0}, predicted=1.0, risky=lambda _: 0.06)
    lines = list(stream.events())
    half = len(lines) * 3 // 4
    with Store(":memory:") as store:
        assert "share" in {series for _, series in fed(lines[:half], store).banks.names()}
        fed(lines[half : half + 10], store)  # the same settings
        assert messages(store) == []
        watch = fed([], store, **changed)
        assert {series for _, series in watch.banks.names()} == {"edits"}
        assert store.history.wikis("high_risk") == []
        watch = fed(lines[half + 10 :], store, **changed)
        (notice,) = messages(store)
    assert notice["kind"] == "notice"
    assert "the threshold or the model was changed" in notice["cause"]


def test_small_wikis_are_watched_together() -> None:
    """Wikis without enough edits for a baseline of their own are one group, in which a surge is found."""
    begin = BEGIN + DAY + 180
    names = [f"{letter}wiki" for letter in "abcdefghijkl"]
    shapes = {name: surging(begin, 240, 25.0) for name in names}
    stream = Stream(BEGIN, LONG, dict.fromkeys(names, 0.03) | {"enwiki": 0.5}, shapes)
    with Store(":memory:") as store:
        watch = fed(stream.events(), store)
        assert ("small wikis", "edits") in watch.banks.names()
        assert {each["wiki_id"] for each in messages(store)} == {"small wikis"}


def test_a_silent_wiki_has_one_incident_and_its_minutes_are_left_out() -> None:
    """No edits on one wiki: a start, an end when edits arrive again, and no surge then."""
    begin = BEGIN + DAY + 180
    stream = Stream(BEGIN, LONG, {"enwiki": 5.0, "dewiki": 1.0}, {"enwiki": surging(begin, 90, 0.0)})
    with Store(":memory:") as store:
        fed(stream.events(), store)
        start, end = messages(store)
        assert store.history.observed(["enwiki"], begin, begin + 90).sum() < 5
    assert (start["series"], start["wiki_id"], end["kind"]) == ("silence", "enwiki", "end")
    assert end["minutes"] == pytest.approx(90, abs=2)


@pytest.mark.parametrize(
    ("canaries", "cause"), [(True, "only canary events arrive"), (False, "no edits of any wiki arrive")]
)
def test_silence_of_all_wikis_is_one_incident(canaries: bool, cause: str) -> None:
    """If no wiki has edits there is one incident, and its cause says whether canary events still arrive."""
    silent = surging(BEGIN + DAY + 180, 60, 0.0)
    rates = {"enwiki": 5.0, "dewiki": 2.0, "frwiki": 1.0}
    stream = Stream(BEGIN, LONG, rates, dict.fromkeys(rates, silent), canaries=canaries)
    with Store(":memory:") as store:
        fed(stream.events(), store)
        start, end = messages(store)
    assert (start["wiki_id"], start["series"], end["kind"]) == ("all wikis", "silence", "end")
    assert cause in start["cause"]


def test_missing_predictions_are_one_incident() -> None:
    """Edits arrive and predictions do not: one incident, and no surge when they arrive again."""
    begin = BEGIN + DAY + 180
    stream = Stream(BEGIN, LONG, {"enwiki": 4.0}, predicted=0.8)
    lines = [
        line
        for line in stream.events()
        if b"predicted_classification" not in line
        or not begin <= int(read_event(orjson.loads(line), MODEL).at) // 60 < begin + 60  # type: ignore[union-attr]
    ]
    with Store(":memory:") as store:
        fed(lines, store)
        start, end = messages(store)
    assert (start["series"], start["wiki_id"], end["kind"]) == ("predictions", "all wikis", "end")


def test_a_second_watch_continues_where_the_first_was(tmp_path: Any) -> None:
    """Stopped after any event and continued from the store, a watch finds the same incidents, with the same ids."""
    begin = BEGIN + DAY + 180
    stream = Stream(
        BEGIN, LONG, {"enwiki": 2.0, "dewiki": 1.0}, {"enwiki": surging(begin, 60, 6.0)},
        disorder_s=4.0, predicted=0.5,
    )  # fmt: skip
    lines = list(stream.events())
    with Store(":memory:") as store:
        fed(lines, store)
        expected = store.incidents()
    path = str(tmp_path / "state")
    cuts = [0, 2001, 4000, len(lines) // 2, len(lines) - 800, len(lines) - 500, len(lines)]
    for first, last in pairwise(cuts):
        with Store(path) as store:
            # The event before comes again, as EventStreams repeats it.
            fed(lines[max(0, first - 1) : last], store)
    with Store(path) as store:
        assert store.incidents() == expected
        assert len(messages(store)) == 2 * len(expected)


def test_of_other_predictions_only_the_time_is_used() -> None:
    """Those of another model, of the past and of a model on trial are not counted."""
    line = orjson.loads(prediction("enwiki", 0.0, 1, 1, 0.9, "3"))
    kinds = []
    for stream, name in (("a", MODEL), ("a.backfill", MODEL), ("a.shadow", MODEL), ("a", "another")):
        line["meta"]["stream"], line["predicted_classification"]["model_name"] = stream, name
        event = read_event(line, MODEL)
        assert event is not None
        kinds.append(event.kind)
    assert kinds == ["prediction", "other", "other", "other"]
    assert read_event({"meta": {"dt": "yesterday"}}, MODEL) is None


def test_a_wrong_clock_closes_no_minute() -> None:
    """A time far ahead is accepted when twenty agree, and alone it is left out. Late events stay late."""
    clock = StreamClock()
    assert clock.note("a", 1000.0, 0.0, wall=1000.0) is Taken.OPEN
    assert clock.note("a", 1000.0 + LEAP_S + 1, 0.0) is Taken.LEAP
    assert clock.note("a", 1001.0, 0.0) is Taken.OPEN
    for number in range(19):
        assert clock.note("a", 5000.0 + number, 0.0) is Taken.LEAP
    assert clock.note("a", 5020.0, 0.0) is Taken.OPEN
    closed = list(clock.closing(0.0))
    assert closed[-1] == (5020 - 5) // 60 - 1
    assert clock.note("a", 1002.0, 0.0) is Taken.LATE


def test_an_idle_partition_is_not_waited_for() -> None:
    """The slowest of the active partitions decides; one without an event for half a minute is not active."""
    clock = StreamClock()
    clock.note("eqiad", 600.0, 0.0, wall=600.0)
    clock.note("codfw", 600.0, 0.0)
    clock.note("eqiad", 1000.0, 10.0)
    assert list(clock.closing(10.0)) == []
    clock.note("eqiad", 1001.0, 31.0)
    assert list(clock.closing(31.0)) == [9, 10, 11, 12, 13, 14, 15]


def test_a_first_time_that_is_wrong_closes_no_minute() -> None:
    """A first event a day ahead is left out, and the events after it are counted in time."""
    begin = 60.0 * BEGIN
    lines = [page_change("enwiki", begin + 86_400, 0, 1)]
    lines += [page_change("enwiki", begin + number, number + 1, 1) for number in range(300)]
    with Store(":memory:") as store:
        watch = fed(lines, store)
        assert store.history.counts("enwiki", "edits", BEGIN, BEGIN + 4).tolist() == [60.0] * 4
    assert (watch.counters.late, watch.counters.wrong_clock) == (0, 1)


def test_a_datacentre_with_hourly_canaries_is_accepted() -> None:
    """Its event an hour later is no leap where the other datacentre has that time, nor where nothing else comes."""
    clock = StreamClock()
    clock.note("eqiad", 3600.0, 0.0, wall=3600.0)
    assert clock.note("codfw", 3600.0, 0.0) is Taken.OPEN
    for now in range(0, 3600, 10):
        clock.note("eqiad", 3600.0 + now, float(now), wall=3600.0 + now)
    assert clock.note("codfw", 7200.0, 3599.0, wall=7199.0) is Taken.OPEN
    assert clock.note("codfw", 10_800.0, 7200.0, wall=10_800.0) is Taken.OPEN
    assert clock.note("codfw", 14_400.0, 10_800.0, wall=99_999.0) is Taken.LEAP
    # While a backlog is read, a time of now is one of a wrong clock.
    assert clock.note("codfw", 10_801.0, 10_801.0, wall=99_999.0) is Taken.OPEN
    assert clock.note("codfw", 99_999.0, 10_802.0, wall=99_999.0) is Taken.LEAP


def test_events_that_are_held_back_are_kept(tmp_path: Any) -> None:
    """After a gap, events that are far ahead are counted when twenty agree, also when a restart is among them."""
    begin = 60.0 * BEGIN
    lines = [page_change("enwiki", begin + number, number, 1) for number in range(30)]
    lines += [page_change("enwiki", begin + 7200 + number, 100 + number, 1) for number in range(30)]
    lines += [canary(begin + 7300, 1)]
    path = str(tmp_path / "state")
    for part in (lines[:10], lines[10:40], lines[40:]):
        with Store(path) as store:
            fed(part, store)
    with Store(path) as store:
        assert store.history.counts("enwiki", "edits", BEGIN, BEGIN + 121).sum() == 60


def test_a_budget_that_cannot_be_kept_is_refused() -> None:
    """Under seven days a series the reason is given; with more series less is enough for each."""
    with pytest.raises(ValueError, match="budget-days: expected at least 7: thresholds come from the tail"):
        WatchSettings(budget_days=3.0)
    assert WatchSettings(budget_days=3.5, wikis=frozenset({"enwiki", "dewiki"})).budget_days == 3.5


def test_the_gauge_is_one_while_a_surge_is_open(surge_of_edits: list[bytes]) -> None:
    """`revertrisk_surge` is 1 while a surge of the series is open, and 0 before and after it."""
    registry = CollectorRegistry()
    metrics = WatchMetrics(registry)
    labels = {"wiki_id": "enwiki", "series": "edits"}
    seen, was_open = [], True
    with Store(":memory:") as store:
        watch = Watch(WatchSettings(), store, live_since=0, now=0.0)
        for line in surge_of_edits:
            watch.take(read_event(orjson.loads(line), MODEL), "p", 0.0)
            is_open = ("enwiki", "edits") in watch.open_incidents
            if is_open != was_open:
                was_open = is_open
                metrics.note(watch)
                seen.append(registry.get_sample_value("revertrisk_surge", labels))
        metrics.note(watch)
    assert seen == [None, 1.0, 0.0]
    assert registry.get_sample_value("revertrisk_surge_events_total") == len(surge_of_edits)


def test_a_sent_message_is_kept_without_its_text(surge_of_edits: list[bytes]) -> None:
    """Of a message that was sent only the key is kept, and an incident has no titles: pages may be deleted."""
    with Store(":memory:") as store:
        fed(surge_of_edits, store)
        for outgoing in store.outgoing("way"):
            assert "Page_" in str(outgoing.document)
            store.note_sent(outgoing.number)
        store.commit()
        assert store.outgoing("way") == []
        kept = b"".join(line.encode() for line in store._database.iterdump())  # noqa: SLF001 - every byte of it
    assert b"incident" in kept
    assert b"Page_" not in kept


def test_a_title_in_an_unsent_message_is_deleted_with_its_page(surge_of_edits: list[bytes]) -> None:
    """When a page is deleted, also late, messages that were not sent yet lose its title; others keep theirs."""
    with Store(":memory:") as store:
        watch = fed(surge_of_edits, store)
        gone = messages(store)[0]["pages"][0]["page_id"]
        watch.take(
            read_event(
                orjson.loads(page_change("enwiki", 60.0 * (BEGIN + DAY), 10**8, gone, "delete")), MODEL
            ),
            "p",
            0.0,
        )
        shown = [page for message in messages(store) for page in message["pages"]]
    assert next(page["url"] for page in shown if page["page_id"] == gone).endswith(f"/?curid={gone}")
    assert all(("title" in page) == (page["page_id"] != gone) for page in shown)


def test_the_state_does_not_grow_forever(tmp_path: Any) -> None:
    """Sent messages and incidents that ended long ago are deleted; what is open, unsent or young is kept."""
    with Store(str(tmp_path / "state")) as store:
        for number, ended in enumerate((BEGIN, BEGIN + DAY, None)):
            incident = Incident(f"i{number}", "enwiki", "edits", since=BEGIN, found=BEGIN, ended=ended)
            store.note_incident(incident.as_state())
            store.add_message("way", f"i{number}:start", {"number": number})
        store.commit()
        for message in store.outgoing("way")[:2]:
            store.note_sent(message.number)
        store.forget_sent(BEGIN + 1)
        store.add_message("way", "i3:start", {"number": 3})
        assert [message.document["number"] for message in store.outgoing("way")] == [2]
        store.commit()
        assert [message.document["number"] for message in store.outgoing("way")] == [2, 3]
        assert [each["id"] for each in store.incidents()] == ["i1", "i2"]
        for message in store.outgoing("way"):
            store.note_sent(message.number)
        store.forget_sent(BEGIN + 1)
        store.add_message("way", "i4:start", {"number": 4})
        assert store.outgoing("way") == []  # it is not committed


def test_a_stream_without_events_is_one_incident() -> None:
    """An hour without events is one incident; it ends with the time of the next event, also after a restart."""
    again = BEGIN + 150
    with Store(":memory:") as store:
        watch = fed(Stream(BEGIN, 10, {"enwiki": 5.0}).events(), store)
        assert messages(store) == []
        watch.note_nothing(60)
        watch.note_nothing(60)
        watch = fed([], store)
        for second in (5.0, 6.0):
            event = read_event(orjson.loads(page_change("enwiki", 60.0 * again + second, 10**6, 1)), MODEL)
            watch.take(event, "p", 7200.0 + second, wall=60.0 * again + second)
        store.commit()
        start, end = messages(store)
    assert (start["series"], start["kind"], end["kind"]) == ("stream", "start", "end")
    assert end["ended"] == "2025-02-20T02:30:00.000Z"
    assert "all wikis: no events since 2025-02-20 00:0" in in_words(start)
    assert "they arrive again" in in_words(end)


def test_a_removed_wiki_is_forgotten(surge_of_edits: list[bytes]) -> None:
    """Continued with fewer wikis, a watch ends the incidents of the others, and does not report them as silent."""
    begun = 60 * (BEGIN + DAY + 220)
    times = [
        event.at for line in surge_of_edits if (event := read_event(orjson.loads(line), MODEL)) is not None
    ]
    half = sum(at < begun for at in times)
    with Store(":memory:") as store:
        first = fed(surge_of_edits[:half], store)
        assert ("enwiki", "edits") in first.open_incidents
        second = fed(surge_of_edits[half:], store, wikis=frozenset({"dewiki"}))
        assert second.banks.names() == [("dewiki", "edits")]
        start, end = messages(store)
    assert (start["wiki_id"], end["cause"]) == ("enwiki", "the wiki is no longer watched")


@pytest.mark.parametrize("then", [frozenset({"dewiki", "enwiki"}), None], ids=["one more", "all"])
def test_an_added_wiki_starts_provisional(then: frozenset[str] | None) -> None:
    """Continued with another wiki, a watch learns that wiki from then on, says so, and does not alarm."""
    added = BEGIN + 2 * DAY + 90
    lines = list(Stream(BEGIN, 4 * DAY, {"dewiki": 2.0, "enwiki": 3.0}).events())
    events = [read_event(orjson.loads(line), MODEL) for line in lines]
    cut = sum(event is not None and event.at < 60 * added for event in events)
    with Store(":memory:") as store:
        fed(lines[:cut], store, wikis=frozenset({"dewiki"}))
        watch = fed(lines[cut : cut + 100], store, wikis=then)
        assert "alarms begin after 2025-02-23T02:00" in watch.describe()
        watch = fed(lines[cut + 100 :], store, wikis=then)
        assert messages(store) == []
        series = [watch.banks.get((wiki, "edits")) for wiki in ("enwiki", "dewiki")]
    added_wiki, known_wiki = (each.model for each in series if each is not None)
    assert (added_wiki.days, added_wiki.is_provisional) == (1, True)
    assert known_wiki.days == 3
    for each, rate in ((added_wiki, 3.0), (known_wiki, 2.0)):
        assert each.baseline.slot_means()[0].mean() / each.bin_minutes == pytest.approx(rate, rel=0.1)


def test_a_surge_of_an_added_wiki_is_provisional() -> None:
    """Its messages give the day when the added wiki has four weeks of history, not the first wiki's day."""
    added, begin = BEGIN + DAY + 60, BEGIN + 2 * DAY + 300
    shapes = {"enwiki": surging(begin, 60, 6.0)}
    lines = list(Stream(BEGIN, 2 * DAY + 660, {"dewiki": 2.0, "enwiki": 3.0}, shapes).events())
    events = [read_event(orjson.loads(line), MODEL) for line in lines]
    cut = sum(event is not None and event.at < 60 * added for event in events)
    with Store(":memory:") as store:
        fed(lines[:cut], store, wikis=frozenset({"dewiki"}))
        fed(lines[cut:], store, wikis=frozenset({"dewiki", "enwiki"}))
        start, _ = messages(store)
    assert (start["wiki_id"], start["provisional"]) == ("enwiki", True)
    assert start["known_by"][:13] == "2025-03-21T01"


@pytest.mark.parametrize(
    ("namespace_id", "title"), [(0, "X"), (2, ""), (3, ""), (None, ""), ({"x": 1}, ""), ([], ""), ("0", "")]
)
def test_only_a_title_that_names_no_user_is_kept(namespace_id: object, title: str) -> None:
    """A namespace that is no number says nothing, and stops nothing."""
    event = orjson.loads(page_change("enwiki", 1_790_000_000.0, 5, 1))
    event["page"] |= {"namespace_id": namespace_id, "page_title": "X"}
    found = read_event(event, MODEL)
    assert found is not None
    assert found.title == title
