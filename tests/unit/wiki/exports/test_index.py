"""The SQLite index of an export."""

import os
from pathlib import Path

import pytest

from revertrisk.wiki.exports.history import ExportHistory
from revertrisk.wiki.exports.index import cache_folder, indexed_export
from revertrisk.wiki.exports.reader import ExportError
from revertrisk.wiki.table import WikiTable


def test_an_index_is_built_once_and_used_again(export: Path, tmp_path: Path, wikis: WikiTable) -> None:
    """The same file, under any name, has one index; nothing else stays in the folder."""
    folder = tmp_path / "cache"
    index = indexed_export(export, folder, wikis)
    os.utime(index, (1, 1))

    again = indexed_export(export.rename(tmp_path / "other name.xml"), folder, wikis)

    assert again == index
    assert again.stat().st_mtime == 1
    assert list(folder.iterdir()) == [index]


@pytest.mark.parametrize("content", [b"", b"no database at all, but longer than a header is"])
def test_what_is_no_index_of_this_version_is_built_anew(
    export: Path, tmp_path: Path, wikis: WikiTable, content: bytes
) -> None:
    """A file in the index's place that is not one of ours is replaced."""
    index = indexed_export(export, tmp_path / "cache", wikis)
    index.write_bytes(content)

    history = ExportHistory(indexed_export(export, tmp_path / "cache", wikis))

    assert history.revision("dewiki", 102) is not None
    history.close()


def test_a_failed_build_leaves_nothing_behind(export: Path, tmp_path: Path, wikis: WikiTable) -> None:
    """A truncated export makes no index."""
    export.write_bytes(export.read_bytes()[:-20])

    with pytest.raises(ExportError, match="not a complete XML file"):
        indexed_export(export, tmp_path / "cache", wikis)

    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("de.wikipedia.org", "wiki.example", "name no wiki of the wiki table"),
        ("<id>101</id>", "<id>100</id>", "is there twice"),
        ("<id>11</id>", "<id>10</id>", "is there twice"),
    ],
)
def test_an_export_that_makes_no_sense_is_refused(
    export: Path, tmp_path: Path, wikis: WikiTable, old: str, new: str, problem: str
) -> None:
    """An unknown wiki and an id that is there twice are errors with their place."""
    export.write_text(export.read_text("utf-8").replace(old, new), encoding="utf-8")

    with pytest.raises(ExportError, match=rf"export\.xml: line \d+, column .*{problem}"):
        indexed_export(export, tmp_path / "cache", wikis)


def test_the_cache_folder_is_xdg_s() -> None:
    """Indexes live below XDG_CACHE_HOME, or ~/.cache where it is unset or empty."""
    assert cache_folder({"XDG_CACHE_HOME": "/var/cache/me"}) == Path("/var/cache/me/revertrisk")
    assert cache_folder({"XDG_CACHE_HOME": ""}) == Path.home() / ".cache/revertrisk"
    assert cache_folder({}) == Path.home() / ".cache/revertrisk"


def test_many_revisions_of_many_pages_keep_their_texts(tmp_path: Path, wikis: WikiTable) -> None:
    """Texts come back whole across keyframes and pages, empty ones included."""
    texts = {
        page * 1000 + number: "" if number % 50 == 0 else f"Seite {page}: " + "Wort " * number + "Ende 🌳"
        for page in (1, 2, 3)
        for number in range(200)
    }
    pages = "".join(
        f"<page><title>P{page}</title><id>{page}</id>"
        + "".join(
            f"<revision><id>{rev_id}</id><timestamp>2026-01-01T00:{rev_id % 60:02}:00Z</timestamp>"
            f"<contributor><ip>::1</ip></contributor><text>{text}</text></revision>"
            for rev_id, text in texts.items()
            if rev_id // 1000 == page
        )
        + "</page>"
        for page in (1, 2, 3)
    )
    export = tmp_path / "many.xml"
    export.write_text(
        f"<mediawiki><siteinfo><dbname>dewiki</dbname></siteinfo>{pages}</mediawiki>", encoding="utf-8"
    )

    history = ExportHistory(indexed_export(export, tmp_path, wikis))

    found = {revision.rev_id: history.text(revision) for revision in history.changes()}
    assert found == texts
    history.close()
