import dataclasses

import pytest

from revertrisk.scoring import markup


@pytest.mark.parametrize(
    ("wikitext", "counted"),
    [
        ('A fact.<ref name="x">Book</ref> Another.<ref name="x" />', {"references": 2, "tags": 2}),
        ("See [https://example.org a page].", {"external_links": 1}),
        ("[[Berlin]] and [[Paris|the capital]]", {"wikilinks": 2}),
        ("{{Infobox|name={{PAGENAME}}}}", {"templates": 2}),
        ("[[Kategorie:Stadt in Europa]]\n[[Категория:Города|Б]]", {"categories": 2, "wikilinks": 2}),
        ("[[Datei:Foto.JPG|mini|Ein Bild]]", {"media": 1, "wikilinks": 1}),
        ("== History ==\ntext\n=== Early years ===", {"headings": 2}),
        ("{|\n|-\n| a\n|-\n| b\n|}", {"table_rows": 3}),
        ("* one\n* two\n: three", {"list_items": 3}),
        ("'''bold''' and ''italic''", {"bold_italic": 4}),
        ("1 < 2, a: b = c.", {}),
    ],
)
def test_markup_is_counted_by_kind(wikitext: str, counted: dict[str, int]) -> None:
    """Each kind of markup is counted by its shape, in any language, and nothing else is."""
    found = {name: number for name, number in dataclasses.asdict(markup.count(wikitext)).items() if number}
    assert found == counted
