"""One rule for the kind of a user, whoever tells of it."""

from pathlib import Path
from typing import Any

import pytest

from revertrisk.labels.labelled import Counts, label_events
from revertrisk.labels.rule import LabelRule
from revertrisk.wiki.exports.reader import exported_revisions
from revertrisk.wiki.revision_facts import read_pages
from revertrisk.wiki.table import WikiTable
from revertrisk.wiki.user_kinds import UserKind, user_kind


@pytest.mark.parametrize(
    ("name", "user_id", "is_temp", "kind"),
    [
        ("Somebody", 7, None, UserKind.REGISTERED),
        ("Somebody", None, None, UserKind.REGISTERED),
        ("~2026-12345-6", 8, None, UserKind.TEMPORARY),
        ("~2026-12345-6", 8, False, UserKind.REGISTERED),
        ("another pattern", 8, True, UserKind.TEMPORARY),
        ("192.0.2.1", None, None, UserKind.IP),
        ("2001:DB8:0:0:0:0:0:1", 0, None, UserKind.IP),
        ("cable.example.org", 0, None, UserKind.IP),
        (None, 0, None, UserKind.IP),
        (None, 7, None, UserKind.REGISTERED),
        (None, None, None, UserKind.UNKNOWN),
    ],
)
def test_a_user_is_known_by_flag_then_id_then_name(
    name: str | None, user_id: int | None, is_temp: bool | None, kind: UserKind
) -> None:
    """The wiki's own flag counts first; the form of a name decides only where nothing else is said."""
    assert user_kind(name, user_id, is_temp=is_temp) is kind


H7 = [("en>Name", UserKind.UNKNOWN), ("192.0.2.xxx", UserKind.IP), ("", UserKind.UNKNOWN)]


@pytest.mark.parametrize(("name", "kind"), H7)
@pytest.mark.parametrize("user_id", [None, 0])
def test_h7_imported_masked_and_empty_names(name: str, user_id: int | None, kind: UserKind) -> None:
    """H7: an imported name is unknown, a masked address is an address, an empty name is unknown."""
    assert user_kind(name, user_id) is kind


def event(rev_id: int, name: str) -> dict[str, Any]:
    return {
        "$schema": "/mediawiki/page/change/1.12.0",
        "meta": {"stream": "mediawiki.page_change.v1"},
        "changelog_kind": "update",
        "page_change_kind": "edit",
        "wiki_id": "enwiki",
        "dt": "2026-01-01T00:00:00Z",
        "page": {"page_id": 1, "page_title": "T"},
        "revision": {"rev_id": rev_id, "rev_dt": "2026-01-01T00:00:00Z", "editor": {"user_text": name}},
    }


@pytest.mark.parametrize(("name", "kind"), H7)
def test_h7_every_source_gives_the_same_kind(tmp_path: Path, name: str, kind: UserKind) -> None:
    """H7: the API's answer, an export and a recorded event agree on the same author."""
    revision: dict[str, Any] = {
        "revid": 5,
        "parentid": 4,
        "timestamp": "2026-01-01T00:00:00Z",
        "user": name,
        "userid": 0,
    }
    page = {"pageid": 1, "ns": 0, "title": "T", "revisions": [revision]}
    export = tmp_path / "export.xml"
    export.write_text(
        "<mediawiki><siteinfo /><page><title>T</title><id>1</id><revision><id>5</id>"
        "<timestamp>2026-01-01T00:00:00Z</timestamp><contributor>"
        f"<username>{name.replace('>', '&gt;')}</username><id>0</id></contributor><text>x</text>"
        "</revision></page></mediawiki>"
    )

    (_, exported), *_ = exported_revisions(export)
    (facts,) = read_pages([page])
    counts = Counts()
    labelled = list(label_events([(1, event(5, name))], LabelRule(WikiTable.load()), counts))

    assert facts.user_kind is kind
    assert exported.user_kind is kind
    if name:
        assert labelled[0]["user"]["kind"] == kind
    else:  # no event that the server takes has one
        assert counts.left_out == {"invalid_event": 1}
