"""Reading MediaWiki XML exports of every format."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from revertrisk.wiki.exports.reader import (
    ExportedPage,
    ExportedRevision,
    ExportedSite,
    ExportError,
    ExportReader,
)

PAGE = b"<mediawiki><siteinfo/><page><title>A</title><id>1</id>"
NEWEST = """\
<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">
  <siteinfo><sitename>W</sitename><dbname>enwiki</dbname><base>https://en.wikipedia.org/wiki/X</base></siteinfo>
  <page>
    <title>Talk:Foo &amp; bar</title><ns>1</ns><id>5</id><redirect title="Baz" />
    <revision>
      <id>20</id><parentid>19</parentid><timestamp>2026-01-01T00:00:00Z</timestamp>
      <contributor><username>Ada</username><id>7</id></contributor><minor /><comment>c</comment>
      <origin>20</origin><model>wikitext</model><format>text/x-wiki</format>
      <text bytes="3" sha1="0sha" xml:space="preserve">a&lt;b</text>
      <content><role>extra</role><origin>18</origin><model>json</model><format>application/json</format>
        <text bytes="2" xml:space="preserve">{}</text></content>
      <sha1>phoiac9h4m842xq45sp7s6u21eteeq1</sha1>
    </revision>
    <revision>
      <id>21</id><parentid>20</parentid><timestamp>2026-01-02T00:00:00Z</timestamp>
      <contributor deleted="deleted" /><comment deleted="deleted" />
      <model>json</model><format>application/json</format><text bytes="77" deleted="deleted" /><sha1 />
    </revision>
    <revision>
      <id>22</id><parentid>21</parentid><timestamp>2026-01-03T00:00:00Z</timestamp>
      <contributor><username>Importiert</username><id>0</id></contributor>
      <text bytes="9" id="4711" />
    </revision>
    <upload><timestamp>2026-01-03T00:00:00Z</timestamp><contributor><ip>::1</ip></contributor></upload>
  </page>
  <logitem><id>1</id><timestamp>2026-01-03T00:00:00Z</timestamp></logitem>
</mediawiki>
"""


def _damaged_gzip() -> bytes:
    packed = bytearray(gzip.compress(bytes(range(256)) * 9))
    packed[20:40] = bytes(20)
    return bytes(packed)


def test_the_oldest_format_is_read_with_what_it_lacks_left_open(export: Path) -> None:
    """A 0.4 export gives pages and revisions in file order; namespaces come from the titles."""
    items = list(ExportReader(export))

    assert items[0] == ExportedSite(dbname=None, domain="de.wikipedia.org")
    assert [item for item in items if isinstance(item, ExportedPage)] == [
        ExportedPage(page_id=10, namespace_id=0, title="Apfelbaum im Garten"),
        ExportedPage(page_id=11, namespace_id=1, title="Diskussion:Apfelbaum im Garten"),
    ]
    revisions = [item for item in items if isinstance(item, ExportedRevision)]
    assert [revision.rev_id for revision in revisions] == [100, 101, 102, 90]
    assert [revision.user_id for revision in revisions] == [7, 0, 8, 9]
    assert [revision.is_minor for revision in revisions] == [False, False, True, False]
    assert [revision.text for revision in revisions] == [
        "Ein Apfelbaum.",
        "Kein Birnbaum.",
        "Ein Apfelbaum.",
        "",
    ]
    assert {(item.parent_id, item.sha1, item.size, item.content_model) for item in revisions} == {
        (None, None, None, None)
    }


def test_the_newest_format_is_read_with_its_main_slot_only(tmp_path: Path) -> None:
    """A 0.11 export gives parents, hashes and models; other slots, uploads and log items are passed over."""
    path = tmp_path / "new.xml"
    path.write_text(NEWEST, encoding="utf-8")

    site, page, plain, hidden, stub = ExportReader(path)

    assert site == ExportedSite(dbname="enwiki", domain="en.wikipedia.org")
    assert page == ExportedPage(page_id=5, namespace_id=1, title="Talk:Foo & bar")
    assert plain == ExportedRevision(
        rev_id=20,
        parent_id=19,
        timestamp="2026-01-01T00:00:00Z",
        user_name="Ada",
        user_id=7,
        user_hidden=False,
        comment="c",
        comment_hidden=False,
        is_minor=True,
        text="a<b",
        text_hidden=False,
        size=3,
        sha1="phoiac9h4m842xq45sp7s6u21eteeq1",
        content_model="wikitext",
        content_format="text/x-wiki",
    )
    assert isinstance(hidden, ExportedRevision)
    assert (hidden.text_hidden, hidden.user_hidden, hidden.comment_hidden) == (True, True, True)
    assert (hidden.text, hidden.user_name, hidden.sha1, hidden.size) == (None, None, None, 77)
    assert isinstance(stub, ExportedRevision)
    assert (stub.text, stub.text_hidden, stub.user_name, stub.user_id) == (None, False, "Importiert", 0)


@pytest.mark.parametrize(
    "pack",
    [
        gzip.compress,
        bz2.compress,
        lzma.compress,
        lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
        lambda data: bz2.compress(data[:500]) + bz2.compress(data[500:]),
    ],
    ids=["gzip", "bzip2", "xz", "lzma", "multistream bzip2"],
)
def test_packed_exports_are_recognised_by_their_content(export: Path, pack: Callable[[bytes], bytes]) -> None:
    """A packed export reads as the plain one, whatever its name."""
    packed = export.with_name("no-suffix")
    packed.write_bytes(pack(export.read_bytes()))

    assert list(ExportReader(packed)) == list(ExportReader(export))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "line 1, column 1 .*no element found"),
        (b"not XML", "line 1, column 1 .*syntax error"),
        (b"<html/>", "root element is not <mediawiki>"),
        (b"<mediawiki/>", "no <siteinfo>"),
        (b"<mediawiki><page/></mediawiki>", "<page> before any <siteinfo>"),
        (b"<mediawiki><siteinfo/><page><id>1</id></page></mediawiki>", "page without <title>"),
        (
            b"<mediawiki><siteinfo/><page><title>A</title><id>x</id></page></mediawiki>",
            "<id> of a page must be",
        ),
        (
            PAGE + b"\n<revision><id>1</id><timestamp>yesterday</timestamp></revision></page></mediawiki>",
            "line 2, column 53 .*<timestamp> of a revision",
        ),
        (b"7z\xbc\xaf\x27\x1c...", "7z archives are not read"),
        (gzip.compress(b"<mediawiki>" * 99, mtime=0)[:-12], "packed file is cut off"),
        (b"\x1f\x8bnot gzip after all", "packed file is damaged"),
        (_damaged_gzip(), "packed file is damaged"),
        (lzma.compress(b"<mediawiki>" * 99)[:-40], "packed file is cut off"),
    ],
)
def test_what_is_no_complete_export_is_refused_with_its_place(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    """An error names the file, how far the reading came, and what is wrong."""
    path = tmp_path / "broken.xml"
    path.write_bytes(content)

    with pytest.raises(ExportError, match=rf"broken\.xml.*{problem}"):
        list(ExportReader(path))


def test_a_cut_off_export_is_refused_without_quoting_it(export: Path) -> None:
    """The error about a truncated file gives line, column and byte, and nothing of the content."""
    export.write_bytes(export.read_bytes()[:900])

    with pytest.raises(ExportError) as caught:
        list(ExportReader(export))

    assert "(byte 900 of the unpacked text)" in str(caught.value)
    assert "Apfelbaum" not in str(caught.value)
