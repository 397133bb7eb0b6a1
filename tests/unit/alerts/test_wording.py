"""The texts of messages: numbers and their plurals."""

from typing import Any

import pytest

from revertrisk.alerts.wording import counted, in_words


def document(series: str, kind: str = "start", **more: Any) -> dict[str, Any]:
    page = {"wiki_id": "enwiki", "page_id": 1, "count": 1234, "title": "Main_Page"}
    return {
        "kind": kind,
        "incident_id": "i",
        "wiki_id": "enwiki",
        "series": series,
        "since": "2026-03-04T12:00:00.000Z",
        "provisional": False,
        "ratio": 2.26,
        "observed": 2310,
        "expected": 1020.4,
        "pages": [page, page | {"count": 1}],
        **more,
    }


@pytest.mark.parametrize(
    ("series", "noun"), [("edits", "edit"), ("high_risk", "high-risk edit"), ("share", "high-risk edit")]
)
def test_the_pages_have_numbers_of_edits(series: str, noun: str) -> None:
    """The number of a page has its noun, so that it cannot be read as the number of the page."""
    text = in_words(document(series))
    assert f"\n• 1,234 {noun}s: Main Page\n• 1 {noun}: Main Page\n" in text
    assert "(2,310 instead of the usual 1,020)" in text


def test_the_end_has_the_usual_number() -> None:
    """All numbers of the end have separators of thousands."""
    ended = {"ended": "2026-03-04T13:30:00.000Z", "minutes": 90, "peak_ratio": 2.9, "excess": 1290}
    text = in_words(document("edits", "end", **ended))
    assert "There were 2,310 instead of the usual 1,020 (+1,290), at most 2.9 times the usual." in text


def test_more_edits_explain_more_high_risk_edits() -> None:
    """The start says when the share of high-risk edits is as usual."""
    text = in_words(document("high_risk"))
    assert "If the number of all edits grew as much, the share of high-risk edits is as usual." in text


def test_one_has_no_plural() -> None:
    """Only 1 has the singular."""
    assert [counted(number, "edit") for number in (0, 1, 2310)] == ["0 edits", "1 edit", "2,310 edits"]
    assert counted(2, "silence watch", "silence watches") == "2 silence watches"
