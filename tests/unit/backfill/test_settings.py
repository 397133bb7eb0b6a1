"""What a command must and must not say; the flag that is wrong is named."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from revertrisk.backfill.settings import BackfillSettings, ListedItems, SettingsError, read_list
from revertrisk.wiki.table import WikiTable

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
USABLE: dict[str, Any] = {
    "wikis": ("enwiki",),
    "since": NOON,
    "until": NOON,
    "target": "http://localhost:8080",
}


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"wikis": ()}, "wiki"),
        ({"since": None}, "from"),
        ({"since": NOON, "until": NOON.replace(hour=11)}, "from"),
        ({"until": NOON.replace(tzinfo=None)}, "to"),
        ({"titles": "a", "category": "b"}, "category"),
        ({"titles": "a", "wikis": ("enwiki", "dewiki")}, "wiki"),
        ({"revisions": "a", "all_revisions": True}, "all-revisions"),
        ({"target": None}, "target"),
        ({"local": Path("out")}, "target"),
        ({"rate": 0.0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"concurrency": 0}, "concurrency"),
        ({"page_age_from_days": -1.0}, "page-age-from"),
        ({"wiki_url": "wiki"}, "wiki-url"),
        ({"wiki_url": "http://user:secret@wiki"}, "wiki-url"),
        ({"wiki_url": "http://wiki/w/api.php"}, "wiki-url"),
        ({"contact": "somebody (me)"}, "contact"),
        ({"contact": "a@b.org)(c"}, "contact"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], flag: str) -> None:
    """Before anything is opened."""
    with pytest.raises(SettingsError, match=rf"^{flag}: "):
        BackfillSettings(**USABLE | changes)


@pytest.mark.parametrize(
    ("wiki_url", "is_public"),
    [
        (None, True),
        ("https://de.wikipedia.org", True),
        ("http://localhost:8193", False),
        ("http://mw-api", False),
    ],
)
def test_a_host_of_the_wiki_table_is_public(wiki_url: str | None, *, is_public: bool) -> None:
    """And so is the one that is used where none is named."""
    settings = BackfillSettings(**USABLE, wiki_url=wiki_url)
    if not is_public:
        settings.check_hosts(WikiTable.load())
        return
    with pytest.raises(SettingsError, match=r"^contact: "):
        settings.check_hosts(WikiTable.load())
    BackfillSettings(**USABLE, wiki_url=wiki_url, contact="ops@example.org").check_hosts(WikiTable.load())


def test_a_list_is_read_line_by_line(tmp_path: Path) -> None:
    """Blank lines, carriage returns and a byte order mark are no part of it."""
    (tmp_path / "list").write_bytes("\ufeffFoo\r\n\n  A b \u2028c\n".encode())
    assert read_list("titles", str(tmp_path / "list")).items == ("Foo", "A b \u2028c")


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe"])
def test_a_list_that_names_nothing_is_refused(tmp_path: Path, content: bytes) -> None:
    """Or that is no text."""
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(SettingsError, match=r"^titles: "):
        read_list("titles", str(tmp_path / "list"))
    with pytest.raises(SettingsError, match=r"^titles: .*cannot be read"):
        read_list("titles", str(tmp_path / "missing"))


@pytest.mark.parametrize("item", ["0", "-1", "12a", "9007199254740992", "\u0661", "1" * 400])
def test_what_is_no_revision_id_is_refused(item: str) -> None:
    """By its place in the list, without being repeated."""
    with pytest.raises(SettingsError, match=r"^revisions: entry 2 is not the id of a revision$"):
        ListedItems(("1", item)).rev_ids()
