"""How a batch of records is parsed: what can be read, what is left out, and what each event becomes."""

import random
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest

from revertrisk.consumer import version_order
from revertrisk.event_platform.page_change import READING_CONTRACT, PageChangeReader, Skip, SkipReason
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from revertrisk.lake.engine import as_file
from revertrisk.lake.erasure import Erasure, erase
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.staging import Stage, version_rank
from revertrisk.lake.tables import Lake
from revertrisk.lake.writer import LakeWriter
from revertrisk.wiki.table import WikiTable
from tests.fakes.lake_events import as_lines, author_hidden, edits, month, page_change, prediction
from tests.fakes.lake_oracle import differences
from tests.unit.lake.conftest import batch_of, tables_of

EDIT = next(iter(edits(1)))
MISSING_REV = page_change(EDIT) | {"revision": {"rev_dt": "2026-10-01T00:00:00Z"}}
NO_DAY = page_change(EDIT) | {"dt": "2026-02-30T00:00:00Z"}
NO_PROBABILITY = prediction(EDIT) | {
    "predicted_classification": {"model_name": "a", "model_version": "1", "probabilities": None}
}
LATER_MAJOR = prediction(EDIT) | {"$schema": "/mediawiki/page/prediction_classification_change/2.0.0"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(b"{", "not_an_event", id="cut off"),
        pytest.param(b"", "not_an_event", id="empty"),
        pytest.param(b"[1]", "not_an_event", id="no object"),
        pytest.param(b'\xff{"a":1}', "not_an_event", id="not UTF-8"),
        pytest.param(b" \r ", "not_an_event", id="blank"),
        pytest.param(
            b"\xef\xbb\xbf" + orjson.dumps(page_change(EDIT)), "not_an_event", id="a byte order mark"
        ),
        pytest.param(orjson.dumps(MISSING_REV), "invalid_event", id="no revision"),
        pytest.param(orjson.dumps(NO_DAY), "invalid_event", id="a day that no calendar has"),
        pytest.param(orjson.dumps(NO_PROBABILITY), "invalid_event", id="null probabilities"),
        pytest.param(orjson.dumps(LATER_MAJOR), "other_schema", id="a later major schema"),
    ],
)
def test_what_cannot_be_read_is_listed_without_its_body(
    lake: Lake, writer: LakeWriter, line: bytes, reason: str
) -> None:
    """A record that is no event is kept as source, place, reason and hash, once; those beside it are taken in."""
    lines = [
        orjson.dumps(page_change(EDIT)),
        line,
        orjson.dumps(prediction(EDIT), option=orjson.OPT_INDENT_2),
    ]
    for _ in range(2):
        writer.write(batch_of(lines, begin=10))
    tables = tables_of(lake)
    assert tables.execute("SELECT source, place, reason, length(sha256) FROM unreadable").fetchall() == [
        ("test", 11, reason, 64)
    ]
    assert tables.execute(
        "SELECT (SELECT count(*) FROM revision), (SELECT count(*) FROM prediction)"
    ).fetchall() == [(1, 1)]


VALUES: list[Any] = [
    None, "", "x", "\u0000", "é" * 500, -1, 0, 1.5, 2**53, 2**63, 1e300, True, [], [None], {}, {"true": "x"},
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-10-01t00:00:00+23:59", "2016-12-31T23:59:60Z", "2026-10-01",
    "-infinity", "NaN", "enwiki", "edit",
]  # fmt: skip


def mutated(event: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Return a copy of an event in which some value, at any depth, is another one or gone."""
    copy: dict[str, Any] = orjson.loads(orjson.dumps(event))
    place = copy
    while True:
        name = chance.choice(list(place))
        if isinstance(place[name], dict) and place[name] and chance.random() < 0.7:
            place = place[name]
            continue
        if chance.random() < 0.2:
            del place[name]
        else:
            place[name] = chance.choice(VALUES)
        return copy


def test_no_event_stops_the_writer(lake: Lake, writer: LakeWriter) -> None:
    """Whatever stands in a field, an event is taken in or listed as unreadable; the next good one is written."""
    chance = random.Random(5)  # noqa: S311 - no secret
    events = month(60)
    strange = [mutated(chance.choice(events), chance) for _ in range(1500)]
    written = writer.write(batch_of(as_lines([*strange, *events]), source="strange"))
    assert 100 < written.unreadable < 1400
    assert writer.write(batch_of(as_lines(strange), source="strange")).rows == {}
    tables = tables_of(lake)
    assert tables.execute("SELECT count(*) FROM unreadable").fetchall() == [(written.unreadable,)]
    assert tables.execute(
        "SELECT min(day) >= DATE '1970-01-01', max(day) < DATE '2201-01-01' FROM revision"
    ).fetchall() == [(True, True)]


def test_a_later_minor_schema_is_taken_in(lake: Lake, writer: LakeWriter) -> None:
    """Minor versions only add, at any level."""
    event = page_change(EDIT) | {"$schema": "/mediawiki/page/change/1.99.0", "new": {"a": [1]}}
    event["revision"]["new"] = "x"
    writer.write(batch_of(as_lines([event, prediction(EDIT) | {"new": 1}])))
    assert tables_of(lake).execute("SELECT count(*) FROM unreadable").fetchall() == [(0,)]


def test_only_the_wikis_asked_for(lake: Lake) -> None:
    """With --wiki, other wikis' events pass by."""
    writer = LakeWriter(lake, wikis=frozenset({"dewiki"}))
    writer.write(batch_of(as_lines(month(60))))
    tables = tables_of(lake)
    for table in ("revision", "prediction", "page_event"):
        assert tables.execute(f"SELECT DISTINCT wiki_id FROM {table}").fetchall() == [("dewiki",)]


SCORABLE: dict[str, Any] = {"is_content_visible": True}
REASONS: list[dict[str, Any]] = [
    {},
    {"wiki_id": "nosuchwiki"},
    {"wiki_id": "wikidatawiki", "meta": {"domain": "www.wikidata.org"}},
    {"wiki_id": "aawiki", "meta": {"domain": "aa.wikipedia.org"}, "page_change_kind": "delete"},
    {"meta": {"domain": "renamed.wikipedia.org"}},
    {"page_change_kind": "delete"},
    {"page_change_kind": "new_kind"},
    {"page_change_kind": "undelete"},
    {"page": {"namespace_id": 2}},
    {"page": {"is_redirect": True}},
    {"page": {"is_redirect": None, "namespace_id": None}},
    {"revision": {"is_content_visible": False}},
    {"revision": {"rev_parent_id": 0}},
    {"revision": {"rev_parent_id": None}},
    {"revision": {"rev_parent_id": None}, "page_change_kind": "create"},
    {"prior_state": {"revision": {"rev_id": 5, "is_content_visible": False}}},
    {"prior_state": {"revision": {"rev_id": 6, "is_content_visible": False, "rev_sha1": "same"}}},
    {"prior_state": {"revision": {"rev_id": 5, "rev_sha1": "same"}}},
    {"prior_state": {"revision": {"rev_id": 5, "rev_size": 3_000_000}}},
    {"revision": {"content_slots": {"main": {"content_model": "css"}}}},
    {"revision": {"rev_size": 3_000_000}},
    {"revision": {"rev_size": 3_000_000, "rev_parent_id": 0}, "page": {"namespace_id": 4}},
]


UNDECIDED_BY_EVENT = {
    SkipReason.CANARY,
    SkipReason.UNSUPPORTED_WIKI,
    SkipReason.REVISION_MISSING,
    SkipReason.PAGE_CHANGED,
    SkipReason.PARENT_MISSING,
}
"""What an event does not tell: a canary is no edit and has no row; the others depend on the model or on the wiki."""


def test_the_reason_for_a_skip_is_the_servers(lake: Lake, writer: LakeWriter) -> None:
    """`skip_reason` is what event_platform/page_change.py says of the same event, for each of its rules."""
    contract = EventValidator(SchemaRepository().load(READING_CONTRACT))
    reader = PageChangeReader(contract, WikiTable.load(), max_revision_bytes=2_097_152)
    events, wanted = [], {}
    for number, changes in enumerate(REASONS, 100):
        event = page_change(EDIT) | {"wiki_id": "enwiki"}
        event["meta"]["domain"] = "en.wikipedia.org"
        event["revision"] |= {"rev_id": number, "rev_parent_id": 5, "rev_sha1": "same"}
        for name, value in changes.items():
            event[name] = {**event.get(name, {}), **value} if isinstance(value, dict) else value
        for part in ("page", "revision"):
            event[part] = {name: value for name, value in event[part].items() if value is not None}
        resolved = reader.resolve(reader.read(event))
        wanted[number] = str(resolved.reason) if isinstance(resolved, Skip) else None
        events.append(event)
    writer.write(batch_of(as_lines(events)))
    found = dict(tables_of(lake).execute("SELECT rev_id, skip_reason FROM revision").fetchall())
    assert found == wanted
    assert set(wanted.values()) - {None} == set(SkipReason) - UNDECIDED_BY_EVENT, (
        "a new reason needs an event in REASONS and its rule in lake/revision_rows.py, or a place in UNDECIDED_BY_EVENT"
    )


def test_h6_an_empty_hash_is_unknown(lake: Lake, writer: LakeWriter) -> None:
    """H6: two texts whose hashes are both empty are not the same text."""
    event = page_change(EDIT)
    event["revision"] |= {"rev_sha1": "", "rev_parent_id": 5}
    event["prior_state"] = {"revision": {"rev_id": 5, "rev_sha1": ""}}
    writer.write(batch_of(as_lines([event])))
    found = tables_of(lake).execute("SELECT is_null_edit, skip_reason FROM revision").fetchall()
    assert found == [(None, None)]


def test_l5_a_revert_without_a_range_undoes_nothing(lake: Lake, writer: LakeWriter) -> None:
    """L5: where EventBus leaves the reverted ids out, the edit is taken in, and no edit is reverted by it."""
    event = page_change(EDIT)
    event["revision"]["revert"] = {"method": "undo", "is_exact": False}
    writer.write(batch_of(as_lines([event])))
    tables = tables_of(lake)
    names = ("revision", "revert", "reverted")
    counts = [tables.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in names]
    assert counts == [1, 1, 0]


def test_versions_sort_as_consumers_sort_them() -> None:
    """`version_rank` has the order of the consumer's version_order."""
    versions = [
        "1.9",
        "1.10",
        "2",
        "2-rc1",
        "revertrisk-events-9",
        "revertrisk-events-10",
        "01",
        "1",
        "a1",
        "a-",
        "",
    ]
    assert sorted(versions, key=version_rank) == sorted(versions, key=version_order)


@pytest.mark.parametrize("broken", ["_make_accounts", "_make_reverts"])
def test_a_batch_that_failed_is_repeated_by_the_same_writer(
    lake: Lake, writer: LakeWriter, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Wherever its parsing ended, nothing of the failed batch is left over in the next one."""
    events = month(60)
    with monkeypatch.context() as failing:
        failing.setattr(Stage, broken, _fail)
        with pytest.raises(OSError, match="no memory"):
            writer.write(batch_of(as_lines(events[::2])))
    writer.write(batch_of(as_lines(events)))
    assert differences(tables_of(lake), events) == []


def _fail(*_: object) -> None:
    raise OSError("no memory")


def test_records_keep_their_places_beside_those_that_are_left_out(lake: Lake) -> None:
    """Unreadable, erased and unwanted records change neither the author nor the place of the others."""
    first, erased, other, last = islice((edit for edit in edits(100) if edit.user not in {0, 5}), 4)
    erase(lake, Erasure(pages=((erased.wiki_id, 99),)), grace_s=0)
    lines: list[bytes] = [
        orjson.dumps(page_change(replace(other, wiki_id="frwiki", rev_id=1))),
        b"{",
        orjson.dumps(page_change(replace(erased, page_id=99))),
        orjson.dumps(page_change(first)),
        b"[]",
        orjson.dumps(page_change(last)),
    ]
    some = LakeWriter(lake, wikis=frozenset({each.wiki_id for each in (first, erased, last)} - {"frwiki"}))
    some.write(batch_of(lines, begin=10))
    tables = tables_of(lake)
    places = tables.execute("SELECT place FROM unreadable ORDER BY place").fetchall()
    assert places == [(11,), (14,)]
    assert lake.actor_keys is not None
    wanted = {
        (each.rev_id, lake.actor_keys.of(each.wiki_id, page_change(each)["performer"]["user_text"]))
        for each in (first, last)
    }
    assert set(tables.execute("SELECT rev_id, actor_key FROM revision").fetchall()) == wanted


def test_a_revision_is_the_same_of_one_event_or_of_copies_in_a_batch(tmp_path: Path) -> None:
    """Copies of an event add nothing, whatever the event tells of the author."""
    with_author, hidden, without_author, only_hidden, hidden_later = edits(5)
    events = [page_change(with_author), page_change(hidden), page_change(without_author)]
    events[1]["revision"] |= {"is_editor_visible": False}
    del events[1]["revision"]["editor"], events[1]["performer"]
    del events[2]["revision"]["editor"], events[2]["performer"]
    events += [author_hidden(only_hidden), page_change(hidden_later), author_hidden(hidden_later)]
    rows = []
    for copies in (1, 2):
        lake = make_lake(str(tmp_path / f"{copies}"), str(tmp_path / "key"))
        LakeWriter(lake).write(batch_of(as_lines(events * copies)))
        rows.append(tables_of(lake).execute("SELECT * FROM revision ORDER BY ALL").fetchall())
    assert rows[0] == rows[1]
    assert len(rows[0]) == 5


def test_a_file_has_its_parts_in_turn() -> None:
    """Parts can be empty, or longer than what is written at once."""
    parts = [b"", b"a" * 1_000_000, b"\n", b"", b"b"]
    with as_file(parts) as path:
        assert Path(path).read_bytes() == b"".join(parts)
