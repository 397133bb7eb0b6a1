"""Reading MediaWiki XML exports of every format."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from revertrisk.wiki.exports.reader import (
    ExportedPage,
    ExportedRevision,
    ExportedSite,
    ExportError,
    ExportReader,
    exported_revisions,
)
from revertrisk.wiki.user_kinds import UserKind
from tests.fakes.exports import export_of, page, revision

PAGE = b"<mediawiki><siteinfo/><page><title>A</title><id>1</id>"


def _revision(ids: bytes, timestamp: bytes = b"2026-01-01T00:00:00Z") -> bytes:
    return (
        PAGE
        + b"<revision>"
        + ids
        + b"<timestamp>"
        + timestamp
        + b"</timestamp></revision></page></mediawiki>"
    )


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

    assert items[0] == ExportedSite(dbname=None, domain="de.wikipedia.org", language="de")
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

    assert site == ExportedSite(dbname="enwiki", domain="en.wikipedia.org", language="en")
    assert page == ExportedPage(page_id=5, namespace_id=1, title="Talk:Foo & bar", is_redirect=True)
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
        zstandard.compress,
        lambda data: bz2.compress(data[:500]) + bz2.compress(data[500:]),
        lambda data: lzma.compress(data[:500]) + bytes(8) + lzma.compress(data[500:]),
        lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"),
        lambda data: (
            b'<?xml version="1.0" encoding="utf-16"?>'.decode().encode("utf-16")
            + data.decode().encode("utf-16")[2:]
        ),
    ],
    ids=[
        "gzip",
        "bzip2",
        "xz",
        "lzma",
        "zstd",
        "multistream bzip2",
        "xz in pieces",
        "byte order mark",
        "UTF-16",
    ],
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
        (bz2.compress(b"<mediawiki>" * 99)[:-12], "packed file is cut off"),
        (b"PK\x03\x04", "zip archives are not read"),
        (_revision(b"<id>%d</id>" % 10**30), "<id> of a revision must be a whole number from 1 to"),
        (_revision(b"<id>0</id>"), "<id> of a revision must be"),
        (_revision(b"<id>1_0</id>"), "<id> of a revision must be"),
        (_revision(b"<id>1</id><parentid>-1</parentid>"), "<parentid> must be a whole number from 0"),
        (_revision(b"<id>1</id>", b"2026-02-30T00:00:00Z"), "<timestamp> of a revision"),
        (b'<?xml version="1.0" encoding="UTF-7"?>' + PAGE, "the encoding is not UTF-8"),
        (b'<!DOCTYPE m [<!ENTITY a "aa">]>' + PAGE, "a document type declaration"),
        (PAGE + b"<a>" * 60_000, "more than 32 elements inside one another"),
        (PAGE + b"<!--" + b" " * 3_000_000, "a tag of more than 1,048,576 bytes"),
        (PAGE + b"<revision a=" + b" " * 3_000_000, "a tag of more than 1,048,576 bytes"),
        (PAGE + b"<revision><comment>" + b" " * 70_000, "a <comment> of more than 65,536 characters"),
        (gzip.compress(PAGE + b"<revision><text>" + b" " * 17_000_000), "a <text> of more than 16,777,216"),
        (
            b"<mediawiki><siteinfo><namespaces>"
            + b"<namespace key='1'>%d</namespace>" * 10_001 % (*range(10_001),),
            "more than 10,000 namespaces",
        ),
    ],
)
def test_what_is_no_complete_export_is_refused_with_its_place(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    """L6, L8: an error names the file, how far the reading came, and what is wrong."""
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


def test_l8_xz_that_needs_too_much_memory_is_refused(tmp_path: Path) -> None:
    """L8: a dictionary of a gigabyte is not allocated."""
    path = tmp_path / "large.xz"
    path.write_bytes(
        lzma.compress(PAGE, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30, "preset": 0}])
    )

    with pytest.raises(ExportError, match="needs more than 256 MiB of memory"):
        list(ExportReader(path))


@pytest.mark.parametrize(
    ("version", "parent", "expected"),
    [
        ("0.11", None, 0),
        ("0.7", None, 0),
        ("0.7", 5, 5),
        ("0.6", None, None),
        ("0.6", 5, 5),
        ("0.11", 0, 0),
    ],
)
def test_l4_from_format_0_7_on_no_parentid_means_no_parent(
    tmp_path: Path, version: str, parent: int | None, expected: int | None
) -> None:
    """L4: a missing <parentid> is unknown in formats that have none, and 0 in those that have it."""
    path = tmp_path / "export.xml"
    path.write_text(export_of(page(revision(9, parent=parent)), version=version), encoding="utf-8")

    ((_, found),) = exported_revisions(path)

    assert found.parent_id == expected


@pytest.mark.parametrize(
    ("element", "text"),
    [
        ("<text />", ""),
        ('<text bytes="0" />', ""),
        ('<text bytes="0" id="4711" sha1="phoiac9h4m842xq45sp7s6u21eteeq1" />', ""),
        ("", None),
        ('<text bytes="9" />', None),
        ('<text id="4711" />', None),
        ('<text bytes="0" deleted="deleted" />', None),
        ("<text>a\r\nb</text>", "a\nb"),
    ],
)
def test_l11_an_empty_text_is_blank_unless_the_export_lacks_it(
    tmp_path: Path, element: str, text: str | None
) -> None:
    """L3, L6, L11: hidden texts, those of stubs and missing ones are unknown; other empty ones are blank pages."""
    path = tmp_path / "export.xml"
    path.write_text(export_of(page(revision(9, element=element))), encoding="utf-8")

    ((_, found),) = exported_revisions(path)

    assert found.text == text


@pytest.mark.parametrize(
    ("contributor", "kind"),
    [
        ("<contributor><username>en&gt;Gast</username><id /></contributor>", UserKind.UNKNOWN),
        ("<contributor><username>Ann</username><id /></contributor>", UserKind.REGISTERED),
        ("<contributor><username>~2026-15475-7</username><id>812</id></contributor>", UserKind.TEMPORARY),
        ("<contributor><ip>192.0.2.7</ip></contributor>", UserKind.IP),
        ('<contributor deleted="deleted" />', UserKind.UNKNOWN),
        ("", UserKind.UNKNOWN),
    ],
    ids=["L7: imported, without an id", "without an id", "L2: temporary", "address", "hidden", "L6: missing"],
)
def test_an_author_is_read_as_far_as_told(tmp_path: Path, contributor: str, kind: UserKind) -> None:
    """What an export leaves out of an author is unknown, and no reason to refuse it."""
    path = tmp_path / "export.xml"
    path.write_text(export_of(page(revision(9, contributor=contributor))), encoding="utf-8")

    ((_, found),) = exported_revisions(path)

    assert found.user_kind is kind
