"""``revertrisk label``, run as a user runs it: exports and recorded events, and both of the same edits."""

import bz2
import gzip
import json
import lzma
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from click.testing import Result
from typer.testing import CliRunner

from revertrisk.cli.app import app
from revertrisk.scoring.feature_table import FEATURES, Group
from tests.fakes.exports import HIDDEN, chain, export_of, later, page, revision
from tests.fakes.real_data import EDITS, OLD_PAGES, PAGE

REAL = {
    OLD_PAGES: (10_503, 9_470, 1_411),
    PAGE: (15_180, 12_724, 1_952),
}
"""Revisions of each export, how many of them are labelled, and how many of these were reverted."""
PLAIN = ("format", "old_lines", "new_lines", "old_length", "new_length")
OF_TEXTS = {
    feature.name
    for feature in FEATURES
    if feature.group in {Group.WORDS, Group.REFERENCES, Group.MARKUP, Group.PAGE}
}
"""Features that a line made from an event does not know."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep indexes of exports out of the home folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(*arguments: str | Path) -> Result:
    """Run a command."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def label(source: Path, *flags: str) -> tuple[dict[int, dict[str, Any]], str]:
    """Label a file; return its lines by revision id, and what the command printed."""
    out = source.with_name("labels.jsonl")
    result = run("label", source, "--out", out, *flags)
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in out.read_bytes().split(b"\n") if line]
    return {row["rev_id"]: row for row in rows}, result.stdout


def written(folder: Path, *pages: str, **about: str) -> Path:
    """Write an export of these pages."""
    path = folder / "some export"
    path.write_text(export_of(*pages, **about), encoding="utf-8")
    return path


def events_of(export: Path, *flags: str) -> Path:
    """Write the page_change events of an export's edits."""
    result = run("page-changes", "--dump", export, *flags)
    assert result.exit_code == 0, result.output
    path = export.with_name("events")
    path.write_bytes(result.stdout_bytes)
    return path


def without_reverts(events: Path) -> Path:
    """Write the same events without what they say of reverts."""
    path = events.with_name("events without reverts")
    with path.open("w", encoding="utf-8") as out:
        for line in events.read_bytes().splitlines():
            event = json.loads(line)
            event["revision"].pop("revert", None)
            out.write(json.dumps(event) + "\n")
    return path


def test_an_export_gives_the_changed_lines_as_well(tmp_path: Path) -> None:
    """Edits of an export have their words and, by identity reverts, their labels; the file names the wiki."""
    rows, said = label(
        written(tmp_path, page(chain("one\ntwo", "one\nlol", "one\ntwo", "one\ntwo\n3")), later())
    )

    assert {rev_id: row["label"] for rev_id, row in rows.items()} == {2: True, 3: False, 4: False}
    assert (rows[2]["old_lines"], rows[2]["new_lines"], rows[2]["wiki_id"]) == ("two", "lol", "dewiki")
    assert (
        said == "5 edits and other changes read\n3 labelled: 1 reverted, 0 too young for a final label\n"
        "2 left out\n  2 no_parent\n"
    )


HIDDEN_PAGE = page(
    revision(1, "a")
    + revision(2, parent=1, user="192.0.2.7", element=HIDDEN)
    + revision(3, "a", parent=2)
    + revision(4, "a b", parent=3)
)
DESCENDING = page(
    revision(3, "a", parent=2, user="Bo") + revision(2, "b", parent=1, user="192.0.2.7") + revision(1, "a")
)
BLANKED = page(chain("a", "", "a", "", "", "a"))
STUBS = page(
    "".join(
        revision(
            n,
            parent=n - 1 or None,
            user=f"U{n}",
            element=f'<text bytes="9" id="{n}" /><sha1>{sha1:a<31}</sha1>',
        )
        for n, sha1 in enumerate("xyx", start=1)
    )
)
FIFTEEN = page(chain("a", *map(str, range(15)), "a"))


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        pytest.param([HIDDEN_PAGE], {4: False}, id="L3: hidden"),
        pytest.param([DESCENDING], {2: True, 3: False}, id="L4: newest first"),
        pytest.param([page(chain("a"), namespace_id=1, title="Diskussion:A")], {}, id="L1: talk page"),
        pytest.param([page(chain("a", "b"), namespace_id=2600, title="Thema:X")], {}, id="L1: Flow"),
        # 2 was blanked again after it was undone, and 3 restored again; 5 is a null edit.
        pytest.param([BLANKED], {4: True, 6: False}, id="L11: blanked"),
        pytest.param([FIFTEEN], {**dict.fromkeys(range(2, 17), True), 17: False}, id="L10: 15 at once"),
        pytest.param(
            [page(revision(1, "a") + revision(2, parent=1, element="") + revision(3, "a b", parent=2))],
            {},
            id="L6: without a text",
        ),
        pytest.param([STUBS], {2: True, 3: False}, id="L6: hashes without texts"),
        pytest.param(
            [page(revision(2, "a", parent=1, contributor=""))], {2: False}, id="L6: without a contributor"
        ),
    ],
)
def test_what_an_export_says_is_labelled(tmp_path: Path, pages: list[str], expected: dict[int, bool]) -> None:
    """Each export gives these labels, as do the events of the same edits, with and without what they say of reverts."""
    path = written(tmp_path, *pages, later())

    events = events_of(path)
    for rows, _ in (label(path), label(events), label(without_reverts(events))):
        assert {rev_id: row["label"] for rev_id, row in rows.items()} == expected


def test_l6_a_temporary_account_is_one(tmp_path: Path) -> None:
    """L2: the name tells it in an export, as everywhere."""
    rows, _ = label(
        written(tmp_path, page(revision(1, "a") + revision(2, "b", parent=1, user="~2026-15475-7")))
    )

    assert rows[2]["user"]["kind"] == "temporary"


@pytest.mark.parametrize(
    "pack",
    [
        bytes,
        gzip.compress,
        bz2.compress,
        lzma.compress,
        lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
        zstandard.compress,
    ],
    ids=["plain", "gzip", "bzip2", "xz", "lzma", "zstd"],
)
def test_l6_exports_and_events_may_be_packed_whatever_their_name(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    """L6: the content tells what a file is, and how it is packed."""
    export = written(tmp_path, page(chain("a", "b", "a")))
    events = events_of(export)
    for path in (export, events):
        expected = label(path)
        path.write_bytes(pack(path.read_bytes()))
        assert label(path) == expected


def test_events_may_be_packed_with_zstandard_and_wrapped(tmp_path: Path) -> None:
    """D6: a line may be the body of a request, {"event": …}; Zstandard is read as the dispatcher reads it."""
    events = events_of(written(tmp_path, page(chain("a", "b", "a"))))
    expected = label(events)
    wrapped = [json.dumps({"event": json.loads(line)}) for line in events.read_text("utf-8").splitlines()]
    events.write_bytes(zstandard.ZstdCompressor().compress("\n".join(wrapped).encode()))

    assert label(events) == expected


def test_l7_a_wiki_of_no_table_goes_by_the_name_given(tmp_path: Path) -> None:
    """L7: an export of another MediaWiki is labelled, and told as events, under that name."""
    export = written(
        tmp_path, page(chain("a", "b", "a")), later(), site="<base>https://mill.fandom.com/wiki/A</base>"
    )
    rows, _ = label(export, "--wiki-id", "mill")
    events = events_of(export, "--wiki-id", "mill")

    assert {row["wiki_id"] for row in rows.values()} == {"mill"}
    assert json.loads(events.read_text("utf-8").splitlines()[0])["meta"]["domain"] == "mill.fandom.com"
    of_events, _ = label(events, "--wiki-id", "mill")
    assert {key: row["label"] for key, row in rows.items()} == {
        key: row["label"] for key, row in of_events.items()
    }
    assert label(events)[0] == {}
    assert "needs --dump" in run("page-changes", "--wiki-id", "mill").stderr


def test_a_flag_widens_what_is_labelled(tmp_path: Path) -> None:
    """L1: talk pages are labelled where that is asked for."""
    export = written(tmp_path, page(chain("a", "b"), namespace_id=1, title="Diskussion:A"))

    assert sorted(label(export, "--include", "namespace")[0]) == [2]


def _without_texts(row: dict[str, Any]) -> dict[str, Any]:
    """Return a line without what only an export gives: the texts, and the features that are taken from them."""
    features = {name: value for name, value in row["features"].items() if name not in OF_TEXTS}
    return {**row, **dict.fromkeys(PLAIN), "features": features}


def _same(export: Path) -> tuple[int, int, int]:
    """Label an export and the events of its edits; return how many there were, were labelled, and were reverted."""
    rows, said = label(export)
    with_reverts = events_of(export)
    for events in (with_reverts, without_reverts(with_reverts)):
        others, said_of_events = label(events)
        assert said == said_of_events
        assert list(map(_without_texts, rows.values())) == list(map(_without_texts, others.values()))
    numbers = [int(line.split()[0]) for line in said.splitlines()]
    assert numbers[0] == numbers[1] + numbers[2]
    assert numbers[2] == sum(numbers[3:])
    return numbers[0], len(rows), Counter(row["label"] for row in rows.values())[True]


def test_l11_an_export_and_the_events_of_its_edits_have_equal_labels(tmp_path: Path) -> None:
    """L11: edit by edit, whatever is blank, hidden, lost, imported or repeated; what was left out adds up."""
    chance = random.Random(7)  # noqa: S311 - a sample, no secret
    pages, rev_id = [], 0
    for page_id in range(1, 7):
        revisions, parent, hours = [], None, chance.uniform(0, 200)
        texts = ["", "a"]
        for _ in range(60):
            rev_id, hours = rev_id + 1, hours + chance.expovariate(0.2) * (chance.random() > 0.05)
            choices = [f"t{rev_id}", texts[-2], "", "#WEITERLEITUNG [[X]]", texts[-1]]
            texts.append(chance.choices(choices, [60, 25, 5, 3, 3])[0])
            element = chance.choices([None, HIDDEN, ""], [60, 2, 1])[0]
            user = chance.choice("PQRST")
            revisions.append(
                revision(rev_id, texts[-1], parent=parent, hours=hours, user=user, element=element)
            )
            parent = None if chance.random() < 0.05 else rev_id
        chance.shuffle(revisions)
        pages.append(page("".join(revisions + revisions[:3]), page_id=page_id, title=f"T{page_id}"))
    read, labelled, reverted = _same(written(tmp_path, *pages))

    assert read == 360
    assert labelled > 100
    assert reverted > 20


@pytest.mark.ci("real data")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", REAL)
def test_l11_both_real_exports_and_their_events_have_equal_labels(
    shared: Path, tmp_path: Path, name: str
) -> None:
    """L11: on both real exports, edit by edit."""
    export = tmp_path / name
    export.symlink_to(EDITS / name)

    assert _same(export) == REAL[name]
