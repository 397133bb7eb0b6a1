"""The page's files as they are shipped."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

import revertrisk.dashboard
from revertrisk.alerts.incidents import Series
from revertrisk.dashboard.estimates import OUTCOME_COLUMNS
from revertrisk.dashboard.queries import CHARTS, OUTCOMES
from revertrisk.page_parts import PageFiles, page_files
from revertrisk.page_parts.messages import MessagesError, fill_in, read_messages

VENDORED = ("uPlot.iife.min.js", "uPlot.min.css", "uPlot.LICENSE")
FOLDER = Path(revertrisk.dashboard.__file__).parent / "page"
PAGES = {
    package: {name: content.decode() for name, content in page_files(package, "page").items()}
    for package in ("revertrisk.dashboard", "mock_eventgate")
}
SHARED = page_files("revertrisk.page_parts", "").keys()
SCRIPTS = {
    name if name in SHARED else f"{package}/{name}": text
    for package, files in PAGES.items()
    for name, text in files.items()
    if name.endswith(".js") and name not in VENDORED
}
MAX_SCRIPT_BYTES = 150_000


def test_uplot_is_what_npm_has() -> None:
    """The vendored library is the published one, byte for byte, with its licence."""
    lines = FOLDER.joinpath("uPlot.sha256").read_text().splitlines()
    noted = dict(reversed(line.split()) for line in lines if not line.startswith("#"))
    found = {name: hashlib.sha256(FOLDER.joinpath(name).read_bytes()).hexdigest() for name in VENDORED}
    assert noted == found
    assert "MIT License" in FOLDER.joinpath("uPlot.LICENSE").read_text()


def test_script_is_small() -> None:
    """Both pages together have less than 150 kB of script, the vendored library included and the messages apart."""
    script = sum(len(text.encode()) for text in SCRIPTS.values())
    assert script + FOLDER.joinpath(VENDORED[0]).stat().st_size < MAX_SCRIPT_BYTES


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_no_html_from_strings(name: str) -> None:
    """No script makes HTML or code of a string."""
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc"
    assert re.findall(sinks, SCRIPTS[name]) == []


@pytest.mark.parametrize("package", sorted(PAGES))
def test_ids_and_nothing_inline(package: str) -> None:
    """Each id that a script wants is in its page, once; the page has no script, style or handler of its own."""
    files = PAGES[package]
    ids = re.findall(r'\bid="([\w-]+)"', files["index.html"])
    assert len(ids) == len(set(ids))
    scripts = "\n".join(text for name, text in files.items() if name.endswith(".js"))
    wanted = set(re.findall(r'(?:getElementById|byId)\("([\w-]+)"', scripts))
    assert wanted <= set(ids)
    assert re.findall(r"<style|\bstyle=|\son\w+=|<script(?![^>]*\bsrc=)", files["index.html"]) == []


def _said() -> set[str]:
    """Return the keys of all messages that scripts and pages name, those made of a prefix with each of its ends."""
    text = "\n".join(SCRIPTS.values())
    keys = set(re.findall(r'"([a-z][a-z0-9_-]*)"', text))
    ends = {
        "risk": ("low", "medium", "high"),
        "user": ("registered", "temporary", "ip", "unknown"),
        "announce": ("prediction", "refusal", "new", "removed"),
        "gone": ("reverted", "removed"),
        "meanwhile": ("reverted", "removed"),
        **dict.fromkeys(("adding", "removing", "changing"), ("raises", "lowers")),
        "replacement": ("little", "partly", "much"),
        "context": ("little", "partly", "much"),
        "since": ("second", "minute", "hour", "day", "year"),
        "surge": tuple(Series),
        "age": ("second", "minute", "hour", "day", "year"),
        "sentence": (*CHARTS, OUTCOMES),
        "chart": tuple(f"{name}{end}" for name in (*CHARTS, OUTCOMES) for end in ("", "-about")),
    }
    keys |= {f"{prefix}-{end}" for prefix, all_ends in ends.items() for end in all_ends}
    keys |= {f"feature-{name}" for name in re.findall(r'^  "(\w+)": "', text, re.MULTILINE)}
    keys |= {f"unit-{unit}" for unit in re.findall(r'^  "\w+": "([^"]+)"', text, re.MULTILINE)}
    changes = re.findall(r'change\("(\w+)"', text)
    keys |= {f"{name}-{end}" for name in changes for end in ("gained", "lost", "neither", "unknown")}
    sql = FOLDER.parent.joinpath("sql").glob("*.sql")
    keys |= {
        f"column-{name}"
        for path in sql
        for name in re.findall(r'(?:AS|\.) ?"?(\w+)"?,?$', path.read_text(), re.MULTILINE)
    }
    keys |= {f"column-{name}" for name in (*OUTCOME_COLUMNS, "low", "high")}
    for files in PAGES.values():
        keys |= set(re.findall(r"\{\{([a-z0-9-]+)\}\}", files["index.html"]))
    return keys | {"lang", "dir"}


def test_messages_are_all_there_and_all_used() -> None:
    """Each message that is said is in the file, and each in the file is said."""
    messages, said = read_messages(), _said()
    named = set(re.findall(r'\bsay\("([\w-]+)"', "\n".join(SCRIPTS.values())))
    assert named <= set(messages)
    assert set(messages) <= said


def test_a_translation_lies_over_english(tmp_path: Path) -> None:
    """What a translation has replaces English, also in the page itself, where it is no HTML; the rest stays."""
    path = tmp_path / "de.json"
    path.write_text(
        json.dumps({"lang": "de", "to-look-at": "<b>Ansehen</b>", "waiting": {"other": "{n} warten"}})
    )
    messages = read_messages(path)
    assert (messages["lang"], messages["pause"]) == ("de", "Pause")
    html = fill_in(PAGES["revertrisk.dashboard"]["index.html"].encode(), messages).decode()
    assert "&lt;b&gt;Ansehen&lt;/b&gt;" in html
    assert '<html lang="de"' in html
    assert "{{" not in html
    PageFiles("revertrisk.dashboard", "page", path)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "expected an object"),
        ({"no-such": "x"}, "no-such: there is no such message"),
        ({"pause": 3}, "pause: expected a text"),
        ({"waiting": {"several": "x"}}, "waiting: expected a text"),
        ({"waiting": {"one": "x"}}, "waiting: expected a text"),
        ({"as-of": "{when}"}, r"as-of: the message has no placeholder \{when\}"),
    ],
)
def test_another_file_is_no_translation(tmp_path: Path, document: Any, reason: str) -> None:
    """The reason names the message."""
    path = tmp_path / "x.json"
    path.write_bytes(orjson.dumps(document))
    with pytest.raises(MessagesError, match=reason):
        read_messages(path)
