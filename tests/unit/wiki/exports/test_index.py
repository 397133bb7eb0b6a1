"""The SQLite index of an export."""

import bz2
import gzip
import lzma
import os
import random
from pathlib import Path

import pytest

from revertrisk.wiki.exports.history import ExportHistory
from revertrisk.wiki.exports.index import cache_folder, indexed_export
from revertrisk.wiki.exports.reader import ExportError
from revertrisk.wiki.exports.site import wikis_of_export
from revertrisk.wiki.table import WikiTable
from tests.fakes.exports import HIDDEN, chain, export_of, page, revision


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
        pytest.param("<id>101</id>", "<id>100</id>", "revision 100 occurs twice", id="L7: revision"),
        pytest.param("<id>11</id>", "<id>10</id>", "page 10 occurs twice", id="L7: page"),
        pytest.param(
            "<title>Diskussion:Apfel", "<title>Apfel", "pages 10 and 11 have the same title", id="L7: title"
        ),
    ],
)
def test_an_export_that_makes_no_sense_is_refused(
    export: Path, tmp_path: Path, wikis: WikiTable, old: str, new: str, problem: str
) -> None:
    """An id that is there twice, with different contents, is an error with its place and the id."""
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


def history_of(folder: Path, *pages: str, version: str = "0.11") -> ExportHistory:
    """Return the history of an export of these pages of dewiki."""
    path = folder / "export.xml"
    path.write_text(export_of(*pages, version=version), encoding="utf-8")
    return ExportHistory(indexed_export(path, folder / "cache", WikiTable.load()))


IMPORTED = (
    revision(10, "a", hours=96)
    + revision(11, "a b", hours=120, parent=10)
    + revision(20, "z", hours=0, user="en>Gast")
    + revision(21, "z y", hours=24, parent=20, user="en>Gast")
    + revision(30, "a b c", hours=144, parent=11)
)
NEWEST_FIRST = revision(3, "a", parent=2) + revision(2, "b", parent=1) + revision(1, "a")


@pytest.mark.parametrize(
    ("revisions", "version", "expected"),
    [
        pytest.param(
            IMPORTED,
            "0.11",
            [(20, 0), (21, 20), (10, 0), (11, 10), (30, 11)],
            id="L4: imported, with parents",
        ),
        pytest.param(
            IMPORTED.replace("parentid", "unknown"),
            "0.6",
            [(20, 0), (21, 20), (10, 21), (11, 10), (30, 11)],
            id="L4: imported, without",
        ),
        pytest.param(NEWEST_FIRST, "0.11", [(1, 0), (2, 1), (3, 2)], id="L4: newest first"),
        pytest.param(
            NEWEST_FIRST.replace("parentid", "unknown"),
            "0.3",
            [(1, 0), (2, 1), (3, 2)],
            id="L4: 0.3, newest first",
        ),
        pytest.param(
            revision(2, "b", hours=1) + revision(1, "a", hours=1),
            "0.4",
            [(1, 0), (2, 1)],
            id="L4: in one second",
        ),
    ],
)
def test_parents_and_order_do_not_depend_on_the_place_in_the_file(
    tmp_path: Path, revisions: str, version: str, expected: list[tuple[int, int]]
) -> None:
    """L4: parent ids count where the format has them; time, then the id, orders the revisions of a page."""
    history = history_of(tmp_path, page(revisions), version=version)

    found = list(history.changes())
    assert [(each.rev_id, each.parent_id) for each in found] == expected
    assert [each.rev_id for each in history.preceding(found[-1], 9)] == [
        rev_id for rev_id, _ in reversed(expected[:-1])
    ]
    assert next(history.pages("dewiki")).latest_rev_id == expected[-1][0]
    history.close()


def test_l7_a_page_in_pieces_and_repeats_are_read_once(tmp_path: Path) -> None:
    """L7: the pieces are one page; what is there twice, the same, counts once."""
    first, second = revision(1, "a"), revision(2, "b", parent=1)
    history = history_of(tmp_path, page(first), page(first + second), page(revision(5), page_id=2, title="N"))

    assert [each.rev_id for each in history.changes()] == [1, 2, 5]
    assert len(list(history.pages("dewiki"))) == 2
    history.close()


def test_the_latest_revision_of_a_redirect_is_one_in_any_language(tmp_path: Path) -> None:
    """An export says of a page that it is a redirect; of its earlier revisions the text must tell."""
    redirect = page(
        revision(1, "a") + revision(2, "#HERZIEN [[B]]", parent=1), more='<redirect title="B" />', title="A"
    )
    history = history_of(tmp_path, redirect)

    assert [each.is_redirect for each in history.changes()] == [False, True]
    history.close()


@pytest.mark.parametrize(
    ("site", "wiki_id", "expected"),
    [
        ("<dbname>frwiki</dbname>", None, ("frwiki", "fr.wikipedia.org", "fr")),
        ("<base>https://fr.wikipedia.org/wiki/X</base>", "frwiki", ("frwiki", "fr.wikipedia.org", "fr")),
        ("<base>https://mill.fandom.com/wiki/Main</base>", "mill", ("mill", "mill.fandom.com", "de")),
        ("<dbname>mill</dbname>", "a_mill", ("a_mill", "a-mill.invalid", "de")),
        ("<base>http://a mill/wiki</base>", "mill-2", ("mill-2", "mill-2.invalid", "de")),
        ("<base>http://[mill</base>", "enwiki", ("enwiki", "en.wikipedia.org", "en")),
    ],
)
def test_l7_the_wiki_is_the_export_s_or_named(
    tmp_path: Path, wikis: WikiTable, site: str, wiki_id: str | None, expected: tuple[str, str, str]
) -> None:
    """L6, L7: <dbname> or <base> name the wiki; one of no table goes by the name that is given to it."""
    path = tmp_path / "export.xml"
    path.write_text(export_of(page(revision(1)), site=site), encoding="utf-8")

    wiki, table = wikis_of_export(path, wikis, wiki_id)
    history = ExportHistory(indexed_export(path, tmp_path, wikis, wiki_id))

    assert (wiki.wiki_id, wiki.domain, wiki.language) == expected
    assert table.by_id(wiki.wiki_id) == wiki
    assert history.default_wiki_id == wiki.wiki_id
    history.close()


@pytest.mark.parametrize(
    ("site", "wiki_id", "problem"),
    [
        ("<dbname>mill</dbname>", None, "are not in the wiki table; give the wiki a name with --wiki-id"),
        ("<dbname>frwiki</dbname>", "dewiki", "is of frwiki, and --wiki-id says dewiki"),
        ("<dbname>mill</dbname>", "../mill", "--wiki-id: expected a name such as enwiki"),
    ],
)
def test_l7_a_wiki_without_a_name_is_refused(
    tmp_path: Path, wikis: WikiTable, site: str, wiki_id: str | None, problem: str
) -> None:
    """L7: no name at all, one that contradicts the file, and one that cannot be one."""
    path = tmp_path / "export.xml"
    path.write_text(export_of(page(revision(1)), site=site), encoding="utf-8")

    with pytest.raises(ExportError, match=problem):
        wikis_of_export(path, wikis, wiki_id)


PIECES = [
    b"<",
    b"&",
    b"]]>",
    b"<!--",
    b"<id>",
    b"</revision>",
    b"<page>",
    b'deleted="deleted"',
    b"\xff",
    b"\0",
    b"9" * 20,
]


def test_l8_a_broken_export_is_read_or_refused(tmp_path: Path, wikis: WikiTable) -> None:
    """L6, L8: whatever is put in, taken out or turned around in a file, plain or packed, nothing else is raised."""
    chance = random.Random(11)  # noqa: S311 - a sample, no secret
    whole = export_of(page(chain("a", "b", "a") + revision(9, parent=3, element=HIDDEN))).encode()
    refusals: list[str] = []
    for _ in range(400):
        content = bytearray(chance.choice([bytes, bytes, gzip.compress, bz2.compress, lzma.compress])(whole))
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(content))
            taken = chance.choice([0, 1, 9])
            content[place : place + taken] = chance.choice([*PIECES, chance.randbytes(1), b""])
        path = tmp_path / "export.xml"
        path.write_bytes(content)
        try:
            indexed_export(path, tmp_path / "cache", wikis)
        except ExportError as exc:
            refusals.append(str(exc))
    assert 200 < len(refusals) < 400
    assert all("\n" not in refusal for refusal in refusals)
