import gzip
import json
import lzma
from pathlib import Path

from revertrisk.scoring.features import extract
from revertrisk.scoring.training.history import read_history, scorable_revisions
from revertrisk.wiki.user_kinds import UserKind

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
