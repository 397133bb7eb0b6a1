"""Which real events Lift Wing's production rules take."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from revertrisk.dispatcher.rule_language.rule import Rule, Taken
from revertrisk.dispatcher.rule_language.rule_file import load_rules

AGNOSTIC, MULTILINGUAL = "revertrisk-language-agnostic", "revertrisk-multilingual"
TAKES = "takes it"
TABLE = {
    "liftwing_page_change_enwiki_2025-10-29.json": ([TAKES], [TAKES]),
    "liftwing_page_change_wikidata_2026-06-22.json": (["wiki_id"], ["wiki_id"]),
    "page_change_1.12.0_capture_2026-09-27.jsonl": (
        # commonswiki create, ptwiki move (no wiki of the multilingual model), enwiki edit, frwiki delete
        ["wiki_id", TAKES, TAKES, "page_change_kind"],
        ["wiki_id", "wiki_id", TAKES, "page_change_kind"],
    ),
    "walkthrough_1.json": (["page_change_kind"], ["page_change_kind"]),
    "walkthrough_2.json": (["meta.stream"], ["meta.stream"]),
    "wdqs_page_change_item-create.json": (["wiki_id"], ["wiki_id"]),
    "wdqs_page_change_item-delete.json": (["wiki_id"], ["wiki_id"]),
    "wdqs_page_change_item-edit.json": (["wiki_id"], ["wiki_id"]),
    "wdqs_page_change_item-page-suppress.json": (["wiki_id"], ["wiki_id"]),
    "wdqs_page_change_item-undelete.json": (["wiki_id"], ["wiki_id"]),
    "wdqs_page_change_item-visibility-change.json": (["wiki_id"], ["wiki_id"]),
    "kafka-connect-sse_recentchange_2019-03-04.json": (["wiki_id"], ["wiki_id"]),
}
"""For each file, and each of its events: what the language-agnostic rule does, and what the multilingual one."""


def rule(name: str) -> Rule:
    (only,) = load_rules(
        Path(str(files("revertrisk.dispatcher") / "rules" / f"{name}.yaml")), target="http://host"
    )
    return only


def events(path: Path) -> list[dict[str, Any]]:
    text = path.read_text()
    found = (
        [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else [json.loads(text)]
    )
    return [event.get("event", event) for event in found]


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize(("rule_name", "column"), [(AGNOSTIC, 0), (MULTILINGUAL, 1)])
def test_a_real_event_is_taken_or_left_for_the_expected_reason(
    shared: Path, name: str, rule_name: str, column: int
) -> None:
    """The rule takes it, or names the field for which it does not."""
    verdicts = [rule(rule_name).judge(event) for event in events(shared / "data" / "events" / name)]
    found = [TAKES if isinstance(verdict, Taken) else getattr(verdict, "field", "") for verdict in verdicts]
    assert found == TABLE[name][column]
