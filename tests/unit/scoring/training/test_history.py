import gzip
import json
import lzma
from pathlib import Path

import pytest

from revertrisk.scoring.features import extract
from revertrisk.scoring.training.examples import TrainingError
from revertrisk.scoring.training.history import read_history, scorable_revisions
from revertrisk.wiki.user_kinds import UserKind
from tests.fakes.exports import HIDDEN, export_of, page, revision

TEXTS = ["one", "one two", "", "one two", "", "", "", "one two three", "one two three", "four"]


def export(folder: Path) -> Path:
    """Write an export of one page with the texts above, in format 0.4, compressed."""
    authors = {
        1: "<username>Somebody</username><id>7</id>",
        9: '</contributor><contributor deleted="deleted">',
    }
    revisions = "".join(
        f"<revision><id>{index or 1000}</id><timestamp>2009-01-01T00:00:{index:02}Z</timestamp>"
        f"<contributor>{authors.get(index, '<ip>192.0.2.1</ip>')}</contributor>"
        f"{'<minor/>' if index == 1 else ''}<comment>c{index}</comment>"
        f'<text xml:space="preserve">{text}</text></revision>'
        for index, text in enumerate(TEXTS)
    ).replace(
        '<contributor></contributor><contributor deleted="deleted"></contributor>',
        '<contributor deleted="deleted" />',
    )
    path = folder / "page.xml.lzma"
    path.write_bytes(
        lzma.compress(
            (
                '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.4/"><siteinfo></siteinfo>'
                f"<page><title>T</title><id>1</id>{revisions}</page></mediawiki>"
            ).encode(),
            format=lzma.FORMAT_ALONE,
        )
    )
    return path


def test_lost_texts_are_no_edits_and_blanking_is(tmp_path: Path) -> None:
    """A single empty text is a blanking; a run of them is an archive's loss, left out with its borders."""
    edits = [
        (revision.rev_id, revision.parent.text, revision.text)
        for revision, _, _ in scorable_revisions(export(tmp_path), wiki_id="enwiki", language="en")
    ]
    assert edits == [
        (1, "one", "one two"),
        (2, "one two", ""),
        (3, "", "one two"),
        (9, "one two three", "four"),
    ]


def test_facts_of_an_export_are_taken_as_they_are(tmp_path: Path) -> None:
    """Registered, anonymous and hidden authors are told apart; what the format lacks stays unknown."""
    revisions = [each for each, _, _ in scorable_revisions(export(tmp_path), wiki_id="enwiki", language="en")]
    assert [each.user.kind for each in revisions] == [
        UserKind.REGISTERED,
        UserKind.IP,
        UserKind.IP,
        UserKind.UNKNOWN,
    ]
    assert [each.is_minor for each in revisions] == [True, False, False, False]
    assert revisions[0].comment == "c1"
    assert revisions[0].user.edit_count is None
    assert (revisions[0].timestamp - revisions[0].parent.timestamp).total_seconds() == 1


def test_labels_are_joined_and_self_reverts_left_out(tmp_path: Path) -> None:
    """Each example has its revision's own features and label; self-reverts and unlabelled edits are no examples."""
    labels = tmp_path / "labels.jsonl.gz"
    rows = [
        {"rev_id": 1, "label": 0, "self_reverted": 0},
        {"rev_id": 2, "label": 1, "self_reverted": 0},
        {"rev_id": 3, "label": 1, "self_reverted": 1},
    ]
    labels.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    dataset = read_history(export(tmp_path), labels, wiki_id="enwiki", language="en")
    assert [example.label for example in dataset.examples] == [False, True]
    served = [
        extract(each) for each, _, _ in scorable_revisions(export(tmp_path), wiki_id="enwiki", language="en")
    ]
    assert [example.features for example in dataset.examples] == served[:2]


@pytest.mark.parametrize(
    ("revisions", "version", "expected"),
    [
        pytest.param(
            revision(1, "a") + revision(2, parent=1, element=HIDDEN) + revision(3, "b", parent=2),
            "0.11",
            [],
            id="L3: hidden",
        ),
        pytest.param(revision(2, "b") + revision(1, "a"), "0.4", [], id="L4: newest first"),
        pytest.param(
            revision(1, "a") + revision(9, "z") + revision(10, "z y", parent=9) + revision(2, "b", parent=1),
            "0.11",
            [10],
            id="L4: imported between",
        ),
    ],
)
def test_training_takes_no_edit_whose_parent_it_would_have_to_guess(
    tmp_path: Path, revisions: str, version: str, expected: list[int]
) -> None:
    """A text that is not there, and a parent that is not the revision before in the file, are left out."""
    path = tmp_path / "export.xml"
    path.write_text(export_of(page(revisions), version=version), encoding="utf-8")
    found = scorable_revisions(path, wiki_id="dewiki", language="de")
    assert [each.rev_id for each, _, _ in found] == expected


def test_an_empty_text_at_the_end_of_a_page_and_one_at_the_start_of_the_next_are_no_lost_texts(
    tmp_path: Path,
) -> None:
    """A run of lost texts ends with its page: the blanking before it and the edit after it are kept."""
    path = tmp_path / "export.xml"
    first = page(revision(1, "a") + revision(2, "", parent=1))
    second = page(revision(3, "") + revision(4, "b", parent=3), title="Second", page_id=2)
    path.write_text(export_of(first, second), encoding="utf-8")
    found = scorable_revisions(path, wiki_id="dewiki", language="de")
    assert [each.rev_id for each, _, _ in found] == [2, 4]


@pytest.mark.parametrize("labels", [b"\x1f\x8bcut", b"{", b"[]", b'{"label": 1}'])
def test_labels_that_cannot_be_read_are_named(tmp_path: Path, labels: bytes) -> None:
    """L6: a damaged companion file is an error with its name."""
    path = tmp_path / "labels.jsonl.gz"
    path.write_bytes(labels)
    with pytest.raises(TrainingError, match=r"labels\.jsonl\.gz: expected JSON lines with labels"):
        read_history(export(tmp_path), path, wiki_id="enwiki", language="en")


def test_an_export_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """L6: so is a cut off export."""
    labels, cut = tmp_path / "labels.jsonl.gz", tmp_path / "cut.xml"
    labels.write_bytes(b"")
    cut.write_bytes(lzma.decompress(export(tmp_path).read_bytes())[:-9])
    with pytest.raises(TrainingError, match=r"cut\.xml: line 1.*not a complete XML file"):
        read_history(cut, labels, wiki_id="enwiki", language="en")
