"""The live page's files as they are shipped, and its option."""

import json
import re
from html.parser import HTMLParser

import pytest

from mock_eventgate.app import Options
from mock_eventgate.live_page import served_wikis
from revertrisk.page_parts import page_files
from revertrisk.scoring.artifact import load_metadata, shipped
from revertrisk.scoring.feature_table import FEATURES

PAGE = {name: content.decode() for name, content in page_files("mock_eventgate", "page").items()}
SCRIPTS = [name for name in PAGE if name.endswith(".js")]
# What makes HTML or code of a string.
SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc"
)


class Elements(HTMLParser):
    """Collects the elements of a page with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_nothing_inline() -> None:
    """The page has no script, style or handler of its own, so that its policy can forbid them."""
    elements = Elements(PAGE["index.html"]).found
    assert [attributes for tag, attributes in elements if tag == "script" and not attributes.get("src")] == []
    assert [tag for tag, _ in elements if tag == "style"] == []
    names = {name for _, attributes in elements for name in attributes}
    assert [name for name in names if name == "style" or name.startswith("on")] == []


@pytest.mark.parametrize("name", sorted(PAGE))
def test_nothing_from_outside(name: str) -> None:
    """No file names an address outside the gate, the SVG namespace apart."""
    addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", PAGE[name])
    assert [address for address in addresses if address != "http://www.w3.org/2000/svg"] == []


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_no_html_from_strings(name: str) -> None:
    """No script makes HTML or code of a string."""
    assert SINKS.findall(PAGE[name]) == []


def test_labels() -> None:
    """Every field of the form stands in a label, and every id is there once."""
    html = PAGE["index.html"]
    ids = [attributes["id"] for _, attributes in Elements(html).found if "id" in attributes]
    assert len(ids) == len(set(ids))
    labels = "".join(re.findall(r"<label.*?</label>", html, re.DOTALL))
    assert (
        len(re.findall(r"<(?:select|input)\b", labels)) == len(re.findall(r"<(?:select|input)\b", html)) == 4
    )


def test_ids_that_scripts_want() -> None:
    """Every id that a script asks for is in the page."""
    wanted = {
        name
        for script in SCRIPTS
        for name in re.findall(r'(?:getElementById|byId)\("([\w-]+)"', PAGE[script])
    }
    assert len(wanted) > 10
    assert wanted <= set(re.findall(r'\bid="([\w-]+)"', PAGE["index.html"]))


def test_every_feature_has_words_and_its_meaning() -> None:
    """T3: each fact that an explanation may name is told in words, and means what the feature table says."""
    script, messages = PAGE["facts.js"], json.loads(PAGE["messages.json"])
    units = json.loads(re.findall(r"^const UNITS = (\{.*?^\});", script, re.MULTILINE | re.DOTALL)[0])
    assert units == {feature.name: feature.unit for feature in FEATURES}
    assert {name: messages[f"feature-{name}"] for name in units} == {
        each.name: each.meaning for each in FEATURES
    }
    groups = script.partition("const GROUPS = [")[2].partition("\n];")[0]
    told = set(re.findall(r'"(\w+)"', groups))
    told |= {f"{name}_{way}" for name in re.findall(r'change\("(\w+)"', groups) for way in ("gained", "lost")}
    assert set(units) | {"inserted_text", "removed_text", "comment_text"} <= told


def test_served_wikis() -> None:
    """T3: the page knows which wikis a shipped model serves, where it does not serve all."""
    model = "revertrisk-multilingual"
    assert {name: set(wikis) for name, wikis in served_wikis().items()} == {
        model: load_metadata(shipped(model)).supported_wikis
    }


def test_diff_base() -> None:
    """The address of a mock MediaWiki is taken; anything else stops the start with its reason."""
    for address in ("http://127.0.0.1:8193", "https://wiki.example/base/", "http://[::1]:8193"):
        assert Options(diff_base=address).diff_base == address
    expected = r"^diff_base: expected an address such as http://127\.0\.0\.1:8193, not "
    for wrong in ("", "127.0.0.1:8193", "javascript:alert(1)", "http://", "http://x:99999", "http://x?y"):
        with pytest.raises(ValueError, match=expected):
            Options(diff_base=wrong)
