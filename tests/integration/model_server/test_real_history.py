"""Ten years of one real page, as the mock MediaWiki tells it, through dispatcher, server and EventGate."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
import yaml

from mock_mediawiki.app import open_history
from mock_mediawiki.page_changes import write_page_changes
from revertrisk.cli.programs import Program, running
from revertrisk.dispatcher.app import DispatchSettings, dispatch
from revertrisk.dispatcher.outcome import Outcome
from revertrisk.event_platform.prediction_change import PREDICTION_SCHEMA
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from revertrisk.wiki.table import WikiTable
from tests.fakes.clients import MODEL, STREAM, Client, StartServer
from tests.fakes.real_data import EDITS, PAGE

pytestmark = pytest.mark.ci("real data")

EVENTS = 3000
MAX_GROWTH = 1.05
RULE = Path(__file__).parents[3] / "revertrisk/dispatcher/rules" / f"{MODEL}.yaml"


@pytest.fixture(scope="module")
def export(shared: Path) -> Path:
    return EDITS / PAGE


@pytest.fixture(scope="module")
def history_wiki(export: Path, logs: Path) -> Iterator[str]:
    with running(["mock-mediawiki", "--port", "0", "--dump", str(export)], logs / "history.log") as program:
        yield program.url


@pytest.fixture(scope="module")
def history_gate(logs: Path) -> Iterator[str]:
    with running(["mock-eventgate", "--port", "0"], logs / "history-gate.log") as program:
        yield program.url


@pytest.fixture(scope="module")
def server(start_server: StartServer, history_gate: str, history_wiki: str) -> Iterator[Program]:
    with start_server(WIKI_URL=history_wiki, EVENTGATE_URL=history_gate, EVENTGATE_STREAM=STREAM) as program:
        yield program


def as_1_1_0(event: dict[str, Any]) -> dict[str, Any]:
    """Return a prediction event without the fields that schema 1.1.0 lacks."""
    stripped: dict[str, Any] = orjson.loads(orjson.dumps(event))
    stripped["page"].pop("namespace_is_content", None)
    for user in (stripped.get("performer", {}), stripped["revision"].get("editor", {})):
        user.pop("user_central_id", None)
        user.pop("wiki_id", None)
    prior = stripped.get("prior_state", {}).get("revision", {}).get("editor", {})
    prior.pop("user_central_id", None)
    prior.pop("wiki_id", None)
    stripped.setdefault("performer", {})  # optional from 1.2.0 on: a hidden editor has none
    return stripped


@pytest.mark.timeout(400)
async def test_3000_real_edits_are_each_accepted_or_skipped_for_a_reason(
    client: Client, server: Program, history_gate: str, export: Path, shared: Path, tmp_path: Path
) -> None:
    """The counts add up, every event is valid by both schemas, and the server's memory stays flat."""
    events = tmp_path / "events.jsonl"
    with events.open("wb") as out:
        wikis = WikiTable.load()
        with open_history(export, wikis) as history:
            write_page_changes(history, wikis, out, EVENTS)
    process = psutil.Process(server.process.pid)
    memory: list[int] = []
    done = 0

    def note_memory(_: Outcome) -> None:
        nonlocal done
        done += 1
        if done in (EVENTS // 3, EVENTS):
            memory.append(process.memory_info().rss)

    summary = await dispatch(
        DispatchSettings(
            source=f"jsonl:{events}",
            rule_file=RULE,
            target=server.url,
            dead_letters=tmp_path / "dead-letters.jsonl",
        ),
        on_outcome=note_memory,
    )

    outcomes = summary.outcomes
    assert summary.is_clean, outcomes
    assert (summary.read, outcomes.total()) == (EVENTS, EVENTS)
    # The page was a redirect for a while, which production's rule does not even send.
    reasons = ("skipped:", "unmatched:page.is_redirect")
    assert all(outcome == "produced" or outcome.startswith(reasons) for outcome in outcomes), outcomes
    # The export has lost 624 texts, most of them here: an empty text after an empty text is a null edit.
    assert outcomes["skipped:no_parent"] == 1
    assert outcomes["skipped:null_edit"] > 500

    accepted = await client.accepted(history_gate)
    assert len(accepted) == outcomes["produced"]
    assert len({event["meta"]["id"] for event in accepted}) == len(accepted)
    assert len({event["revision"]["rev_id"] for event in accepted}) == len(accepted)
    ours = EventValidator(SchemaRepository().load(PREDICTION_SCHEMA))
    published = EventValidator(
        yaml.safe_load(
            (
                shared / "schemas_upstream/mediawiki/page/prediction_classification_change/1.1.0.yaml"
            ).read_bytes()
        )
    )
    for event in accepted:
        assert ours.violations(event) == []
        assert published.violations(as_1_1_0(event)) == []

    after_first_third, at_the_end = memory
    assert at_the_end <= MAX_GROWTH * after_first_third
