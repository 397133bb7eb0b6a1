"""The list of bots: what a file may say, and what becomes of it in a lake."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from revertrisk.lake.bots import (
    Bot,
    BotReverts,
    parse_bots,
    read_bots,
    reverts_of_bots,
    shipped_bots,
    write_bots,
)
from revertrisk.lake.check import check
from revertrisk.lake.errors import LakeConfigurationError, LakeUsageError
from revertrisk.lake.maintenance import forget_actors
from revertrisk.lake.open_or_create import make_lake, open_lake
from revertrisk.lake.schema import BOT
from revertrisk.lake.tables import Lake
from revertrisk.lake.writer import LakeWriter
from tests.fakes.lake_events import Edit, as_lines, edits, page_change
from tests.unit.lake.conftest import batch_of, tables_of

KNOWN = list(edits(200, days=4, pages=1, users=4))
"""All on one page of dewiki."""
REVERTS = [edit for edit in KNOWN if edit.reverts is not None]


def test_the_shipped_list_is_read() -> None:
    """It has the nine bots of the analysis of 2023 and those since then; one acts on a revert risk model."""
    listed = {(bot.wiki_id, bot.name): bot.acts_on for bot in shipped_bots()}
    assert len(listed) == 11
    assert listed["ruwiki", "Рейму Хакурей"] == "rules"
    assert [each for each, acts_on in listed.items() if acts_on == "model"] == [("eswiki", "Automoderator")]


def test_what_a_list_may_say() -> None:
    """Days as YAML has them or as text, underscores for spaces; what is left out has its default."""
    text = """
    bots:
      - {wiki_id: enwiki, name: ClueBot_NG, valid_from: 2010-12-01, valid_to: "2026-11-30", acts_on: model}
      - {wiki_id: zh_yuewiki, name: 機械人}
    """
    assert parse_bots(text, "a") == (
        Bot(
            wiki_id="enwiki",
            name="ClueBot NG",
            valid_from=date(2010, 12, 1),
            valid_to=date(2026, 11, 30),
            acts_on="model",
        ),
        Bot(wiki_id="zh_yuewiki", name="機械人"),
    )
    assert parse_bots("bots: []", "a") == ()


ONE = "bots:\n  - {wiki_id: enwiki, name: A, "


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("- enwiki", ["expected an object"]),
        ("robots: []", ["bots: is missing", "robots: is not known"]),
        ("bots:", ["bots: expected an array"]),
        ("bots: [enwiki]", ["bots[0]: expected an object"]),
        ("bots: [{}]", ["bots[0].wiki_id: is missing", "bots[0].name: is missing"]),
        (ONE + "valid_form: 2026-01-01}", ["bots[0].valid_form: is not known"]),
        (ONE + "valid_from: 2026}", ["bots[0].valid_from: expected a day such as 2026-11-21"]),
        (ONE + "valid_to: 1 May}", ["bots[0].valid_to: expected a day such as 2026-11-21"]),
        (ONE + "valid_to: 2026-01-01T00:00:00Z}", ["bots[0].valid_to: expected a day such as 2026-11-21"]),
        (
            ONE + "valid_from: 2026-02-01, valid_to: 2026-01-31}",
            ["bots[0].valid_to: expected the day valid_from or a later one"],
        ),
        (ONE + "acts_on: scores}", ["bots[0].acts_on: expected 'rules' or 'model'"]),
        (
            "bots:\n  - {wiki_id: enwikii, name: A}\n  - {wiki_id: enwiki, name: 'User:A'}",
            ["bots[1].name: expected a user name without a namespace, such as ClueBot NG"],
        ),
        (
            "bots: [{wiki_id: en, name: A}, {wiki_id: enwiki, name: A_b}, {wiki_id: enwiki, name: A b}]",
            [
                "bots[0].wiki_id: expected the id of a wiki, such as enwiki, not 'en'",
                "bots[2]: the same bot as bots[1]",
            ],
        ),
        (ONE + "name: B}", ["is not YAML: the key 'name' occurs twice"]),
    ],
)
def test_what_is_wrong_with_a_list_is_said_of_each_field(text: str, problems: list[str]) -> None:
    """A line for each problem, with the file and the path of the field; exit status 2."""
    with pytest.raises(LakeUsageError) as refused:
        parse_bots(text, "bots.yaml")
    for line, problem in zip(str(refused.value).splitlines(), problems, strict=False):
        assert line.startswith(f"bots.yaml: {problem}")
    assert refused.value.exit_status == 2


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """One that is not there, and one that is not text."""
    with pytest.raises(LakeUsageError, match="none: cannot be read: No such file"):
        read_bots(tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(LakeUsageError, match="bytes: cannot be read: it is not UTF-8"):
        read_bots(tmp_path / "bytes")


def test_a_new_lake_has_the_programs_list(lake: Lake, tmp_path: Path) -> None:
    """It is there when the lake is made. A list that was written later stays, also an empty one."""
    names = "SELECT wiki_id || ' ' || name FROM bot ORDER BY 1"
    shipped = sorted(f"{bot.wiki_id} {bot.name}" for bot in shipped_bots())
    assert [name for (name,) in tables_of(lake).execute(names).fetchall()] == shipped
    write_bots(lake, [])
    again = make_lake(lake.root, str(tmp_path / "key"))
    assert tables_of(again).execute(names).fetchall() == []


def test_a_list_replaces_the_one_before(lake: Lake) -> None:
    """In one commit, with what is no longer listed gone; the same list again makes none."""
    first = [Bot(wiki_id="enwiki", name="A"), Bot(wiki_id="dewiki", name="B")]
    second = [Bot(wiki_id="enwiki", name="A", valid_to=date(2026, 1, 1)), Bot(wiki_id="enwiki", name="C")]
    names = "SELECT wiki_id, name, valid_to, acts_on FROM bot ORDER BY ALL"
    assert write_bots(lake, first)
    assert tables_of(lake).execute(names).fetchall() == [
        ("dewiki", "B", None, "rules"),
        ("enwiki", "A", None, "rules"),
    ]
    before = lake.table(BOT).version()
    assert write_bots(lake, second)
    assert lake.table(BOT).version() == before + 1
    rows = [("enwiki", "A", date(2026, 1, 1), "rules"), ("enwiki", "C", None, "rules")]
    assert tables_of(lake).execute(names).fetchall() == rows
    assert not write_bots(lake, reversed(second))
    assert lake.table(BOT).version() == before + 1
    assert write_bots(lake, [])
    assert tables_of(lake).execute(names).fetchall() == []
    assert list(check(lake)) == []


def test_of_lists_that_are_written_at_once_one_stays(lake: Lake) -> None:
    """Two writers that begin a lake together both list its bots."""
    lists = [[Bot(wiki_id="enwiki", name=f"{name} {number}") for number in range(3)] for name in "ABCD"]
    with ThreadPoolExecutor(len(lists)) as threads:
        assert any(threads.map(lambda each: write_bots(lake, each), lists))
    left = tables_of(lake).execute("SELECT name FROM bot ORDER BY name").fetchall()
    assert [name for (name,) in left] in [[bot.name for bot in each] for each in lists]


def test_a_lake_without_its_key_cannot_list(lake: Lake) -> None:
    """The names become keys, so the list needs the key."""
    with pytest.raises(LakeConfigurationError, match="without its key"):
        write_bots(open_lake(lake.root), [])


def by(user: int) -> list[Edit]:
    return [edit for edit in REVERTS if edit.user == user]


def test_a_bot_that_is_listed_later_is_named_in_old_rows(lake: Lake, writer: LakeWriter) -> None:
    """As far back as there are actor keys; one that is listed keeps its own, within its days."""
    writer.write(batch_of(as_lines(map(page_change, KNOWN))))
    early, late = "User 0", "User 2"
    write_bots(lake, [Bot(wiki_id="dewiki", name=early)])
    days = {user: [edit.moment.date() for edit in by(user)] for user in (0, 2)}
    first = date(2026, 10, 3)
    assert min(days[0]) < first <= max(days[0])
    assert min(days[2]) < first <= max(days[2])
    forget_actors(lake, first)
    write_bots(
        lake,
        [
            Bot(wiki_id="dewiki", name=early),
            Bot(wiki_id="dewiki", name=late),
            Bot(wiki_id="dewiki", name="None"),
        ],
    )
    kept = [day for day in days[2] if day >= first]
    found, forgotten = reverts_of_bots(lake)
    assert found == [
        BotReverts("dewiki None", 0, None, None),
        BotReverts(f"dewiki {early}", len(days[0]), min(days[0]), max(days[0])),
        BotReverts(f"dewiki {late}", len(kept), min(kept), max(kept)),
    ]
    assert forgotten == max(
        edit.moment.date() for edit in REVERTS if edit.moment.date() < first and edit.user != 0
    )
    write_bots(lake, [Bot(wiki_id="dewiki", name=early, valid_from=first)])
    found, _ = reverts_of_bots(lake)
    since = [day for day in days[0] if day >= first]
    assert found == [BotReverts(f"dewiki {early}", len(since), min(since), max(since))]
