"""The names of namespaces, and how languages are marked."""

import pytest

from mock_mediawiki.namespaces import CATEGORY, category_prefixes, namespace_names
from mock_mediawiki.pages.html_page import direction, html_language
from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.table import Wiki, WikiTable


def wiki(wikis: WikiTable, wiki_id: str) -> Wiki:
    """Return a wiki of the table."""
    found = wikis.by_id(wiki_id)
    assert found is not None
    return found


def test_every_wiki_has_names_for_all_namespaces(wikis: WikiTable) -> None:
    """No two namespaces of a wiki have the same name, and every wiki has a word for category."""
    for each in wikis:
        names = namespace_names(each)
        assert sorted(names) == list(range(-2, 16))
        assert len(set(names.values())) == len(names)
        assert names[CATEGORY] == category_prefixes(each)[0]
        assert "Category" in category_prefixes(each)


@pytest.mark.parametrize(
    ("wiki_id", "prefixes"),
    [
        ("dewiki", ("Kategorie", "Category")),
        ("jawiki", ("Category", "カテゴリ")),
        ("zh_yuewiki", ("Category", "分類", "分类", "類", "类")),
        ("be_x_oldwiki", ("Катэгорыя", "Category")),
        ("svwiki", ("Category",)),
    ],
)
def test_category_has_the_wiki_s_own_word_and_the_english_one(
    wikis: WikiTable, wiki_id: str, prefixes: tuple[str, ...]
) -> None:
    """Languages whose names are not known here have the English one."""
    assert category_prefixes(wiki(wikis, wiki_id)) == prefixes


def test_the_talk_pages_of_the_samples_begin_with_their_namespace(wikis: WikiTable) -> None:
    """Sample pages outside namespace 0 are called as their wiki calls them."""
    history = SampleHistory.shipped(wikis)
    pages = [page for each in wikis for page in history.pages(each.wiki_id) if page.namespace_id != 0]
    assert pages
    for page in pages:
        names = namespace_names(wiki(wikis, page.wiki_id))
        assert page.title.startswith(f"{names[page.namespace_id]}:")


@pytest.mark.parametrize(
    ("language", "marked"),
    [("de", ("de", "ltr")), ("he", ("he", "rtl")), ("ckb", ("ckb", "rtl")), ("simple", ("en", "ltr"))],
)
def test_a_language_has_a_mark_and_a_direction(language: str, marked: tuple[str, str]) -> None:
    """Simple English is English; Hebrew and Central Kurdish go from right to left."""
    assert (html_language(language), direction(language)) == marked
