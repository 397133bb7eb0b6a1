"""What was given up comes back: redrive, and reconcile, which says whether anything is still missing."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from revertrisk.dispatcher import (
    DeadLetterError,
    DispatchSettings,
    RetrySchedule,
    SettingsError,
    Summary,
    dispatch,
)
from revertrisk.dispatcher.recovery.reconcile_run import ReconcileSettings, reconcile
from revertrisk.dispatcher.recovery.redrive import Choice, GivenUpEvents, redrive_settings
from tests.fakes.kafka_cluster import QUICKEST_GROUPS, KafkaCluster
from tests.fakes.scripted_http import Reply, ScriptedServer

STREAM = "mediawiki.page_change.v1"
DAY = datetime(2026, 11, 20, tzinfo=UTC)
RULE = """
rules:
  - name: model
    topic: mediawiki.page_change.v1
    match: {wiki_id: /wiki$/, page_change_kind: /^(edit|create)$/}
    retry_on: {status: [502, 503]}
    exec: {method: post, uri: '{{globals.target}}/p', body: {event: '{{message}}'}}
"""


def event(number: int, **changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "$schema": "/mediawiki/page/change/1.2.0",
        "meta": {
            "stream": STREAM,
            "domain": "de.wikipedia.org",
            "request_id": f"r-{number}",
            "dt": f"2026-11-20T12:{number // 60:02}:{number % 60:02}Z",
        },
        "changelog_kind": "update",
        "page_change_kind": "edit",
        "dt": "2026-11-20T12:00:00Z",
        "wiki_id": "dewiki",
        "page": {"page_id": 7, "page_title": "Apfel", "namespace_id": 0, "is_redirect": False},
        "revision": {
            "rev_id": number,
            "rev_parent_id": 1_000_000 + number,
            "rev_dt": "2026-11-20T12:00:00Z",
        },
    }
    return base | changes


class Workplace:
    """The files of an operator, and the commands they use."""

    def __init__(self, folder: Path, server: ScriptedServer) -> None:
        self.folder = folder
        self.server = server
        (folder / "rule.yaml").write_text(RULE)

    def write(self, name: str, records: list[dict[str, Any]]) -> Path:
        path = self.folder / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    def read(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]

    def settings(self, source: str, **changes: Any) -> DispatchSettings:
        given: dict[str, Any] = {
            "source": source,
            "rule_file": self.folder / "rule.yaml",
            "target": self.server.url,
            "dead_letters": self.folder / "dead.jsonl",
            "retries": RetrySchedule(limit=2, delay_s=0, factor=1),
        }
        return DispatchSettings(**given | changes)

    async def redrive(self, source: str, choice: Choice | None = None, **changes: Any) -> Summary:
        given = {"dead_letters": self.folder / "again.jsonl"} | changes
        settings = redrive_settings(self.settings(source, **given), choice or Choice())
        return await dispatch(
            settings,
            wrap=lambda inner, rules: GivenUpEvents(inner, choice or Choice(), {rule.name for rule in rules}),
        )

    async def missing(self, events: Path, predictions: Path, **changes: Any) -> list[dict[str, Any]]:
        given: dict[str, Any] = {
            "events": f"jsonl:{events}",
            "predictions": f"jsonl:{predictions}",
            "rule_file": self.folder / "rule.yaml",
            "since": DAY,
            "until": datetime(2026, 11, 21, tzinfo=UTC),
            "output": self.folder / "missing.jsonl",
        }
        report = await reconcile(ReconcileSettings(**given | changes))
        found = self.read("missing.jsonl")
        assert report.missing == len(found)
        return found


@pytest.fixture
def workplace(tmp_path: Path, model_server: ScriptedServer) -> Workplace:
    return Workplace(tmp_path, model_server)


def sent(server: ScriptedServer) -> list[int]:
    return [seen.json["event"]["revision"]["rev_id"] for seen in server.seen]


async def test_what_is_missing_can_be_redriven(workplace: Workplace) -> None:
    """Events of which no dead letter exists are found by comparison, and the list is sent as it is."""
    events = workplace.write("events.jsonl", [event(number) for number in (1, 2, 3)])
    predictions = workplace.write("predictions.jsonl", [{"wiki_id": "dewiki", "revision": {"rev_id": 2}}])
    await workplace.missing(events, predictions)
    await workplace.redrive(f"dead-letters:{workplace.folder / 'missing.jsonl'}")
    assert sent(workplace.server) == [1, 3]


async def test_a_list_that_cannot_be_written_is_named(workplace: Workplace) -> None:
    """A full disk ends the comparison with the name of the file, and nothing looks complete."""
    events = workplace.write("events.jsonl", [event(1)])
    predictions = workplace.write("predictions.jsonl", [])
    with pytest.raises(
        DeadLetterError, match="output: /dev/full: cannot be written: No space left on device"
    ):
        await workplace.missing(events, predictions, output=Path("/dev/full"))


async def test_only_what_is_due_is_missing(workplace: Workplace) -> None:
    """Canaries, other times, other wikis, provable skips and second events of a revision are not."""
    events = workplace.write(
        "events.jsonl",
        [
            event(1),
            event(1, page_change_kind="create"),
            event(2, meta=event(2)["meta"] | {"domain": "canary"}),
            event(3, meta=event(3)["meta"] | {"dt": "2026-11-19T23:59:59Z"}),
            event(4, meta=event(4)["meta"] | {"dt": "2026-11-21T00:00:00Z"}),
            event(5, wiki_id="dewiktionary"),
            event(6, page_change_kind="delete"),
            event(8, revision=event(8)["revision"] | {"rev_parent_id": 0}),
            event(9, page={"page_id": 1, "page_title": "X", "namespace_id": 1, "is_redirect": False}),
            {"something": "else"},
            event(11, page="broken"),
        ],
    )
    missing = await workplace.missing(events, workplace.write("predictions.jsonl", []))
    assert [line["rev_id"] for line in missing] == [1, 11]
    assert (missing[0]["wiki_id"], missing[0]["page_id"], missing[0]["reason"]) == ("dewiki", 7, "missing")


async def test_change_propagations_error_topic_is_read_to_its_end_and_remembered(
    workplace: Workplace, cluster: KafkaCluster
) -> None:
    """The event inside is sent, whether it failed at once or as a retry; other rules' errors are left alone."""
    topic = "eqiad.changeprop.error"
    retry = {
        "$schema": "/change-prop/retry/1.0.0",
        "emitter_id": "changeprop#lw",
        "retries_left": 0,
        "error_status": 503,
        "original_event": event(2),
        "meta": {"stream": f"changeprop.retry.{STREAM}"},
    }
    raws = [
        json.dumps(event(1)),
        json.dumps(retry),
        json.dumps({"meta": {"stream": "resource_change"}, "uri": "x"}),
        "not json",
    ]
    errors = [
        {
            "$schema": "/error/0.0.3",
            "emitter_id": "changeprop#lw",
            "message": "m",
            "raw_event": raw,
            "meta": {},
        }
        for raw in raws
    ]
    errors[0]["details"] = {"status": 500}
    cluster.create(topic, 1)
    cluster.produce(topic, ((0, json.dumps(error).encode()) for error in errors))
    kafka = {"kafka": (f"bootstrap.servers={cluster.brokers}", *QUICKEST_GROUPS)}

    summary = await workplace.redrive(
        f"kafka:{topic}", Choice(statuses=frozenset({"50x"})), group="a", **kafka
    )
    assert (sorted(sent(workplace.server)), summary.read) == ([1, 2], 3)
    assert summary.outcomes == {"produced": 2, "given_up:not_a_dead_letter": 1}
    summary = await workplace.redrive(
        f"kafka:{topic}", Choice(reasons=frozenset({"status_503"})), group="b", **kafka
    )
    assert sent(workplace.server)[2:] == [2]
    summary = await workplace.redrive(f"kafka:{topic}", group="c", **kafka)
    assert summary.outcomes == {"produced": 2, "unmatched:meta.stream": 1, "given_up:not_a_dead_letter": 1}
    summary = await workplace.redrive(f"kafka:{topic}", group="c", **kafka)
    assert (summary.read, summary.is_clean) == (0, True)


async def test_a_redrive_goes_on_where_the_last_one_ended(workplace: Workplace) -> None:
    """A second run sends what was not sent, and later what was added to the file."""
    letters = [{"reason": "timeout", "rule": "model", "event": event(number)} for number in range(1, 6)]
    path = workplace.write("dead.jsonl", letters)
    await workplace.redrive(f"dead-letters:{path}", limit=2)
    await workplace.redrive(f"dead-letters:{path}")
    with path.open("a") as file:
        file.write(json.dumps(letters[0] | {"event": event(9)}) + "\n")
    await workplace.redrive(f"dead-letters:{path}")
    assert sent(workplace.server) == [1, 2, 3, 4, 5, 9]


async def test_filters_and_rules_choose(workplace: Workplace) -> None:
    """By status, by reason, and by the rule that gave the event up."""
    path = workplace.write(
        "dead.jsonl",
        [
            {"reason": "status_503", "status": 503, "rule": "model", "event": event(1)},
            {"reason": "status_400", "status": 400, "rule": "model", "event": event(2)},
            {"reason": "timeout", "status": None, "rule": "model", "event": event(3)},
            {"reason": "status_503", "status": 503, "rule": "another", "event": event(4)},
        ],
    )

    async def chosen(name: str, **choice: Any) -> list[int]:
        workplace.server.seen.clear()
        checkpoint = workplace.folder / name
        await workplace.redrive(f"dead-letters:{path}", Choice(**choice), checkpoint=checkpoint)
        return sorted(sent(workplace.server))

    assert await chosen("all") == [1, 2, 3]
    assert await chosen("status", statuses=frozenset({"5xx"})) == [1]
    assert await chosen("reason", reasons=frozenset({"timeout", "status_400"})) == [2, 3]


async def test_a_rate_is_kept(workplace: Workplace) -> None:
    """Twenty events at a hundred a second take at least nineteen hundredths."""
    letters = [{"reason": "timeout", "rule": "model", "event": event(number)} for number in range(20)]
    path = workplace.write("dead.jsonl", letters)
    summary = await workplace.redrive(f"dead-letters:{path}", Choice(per_second=100.0))
    assert summary.read == 20
    assert summary.seconds >= 0.19


async def test_what_is_given_up_again_is_kept_elsewhere(workplace: Workplace) -> None:
    """Nothing is forgotten by a redrive, records without an event included."""
    workplace.server.script = lambda _: Reply(400, {"code": "invalid_event"})
    path = workplace.write(
        "dead.jsonl",
        [{"reason": "timeout", "rule": "model", "event": event(1)}, {"reason": "invalid_json", "raw": "{"}],
    )
    summary = await workplace.redrive(f"dead-letters:{path}")
    assert summary.given_up == 2
    assert {letter["reason"] for letter in workplace.read("again.jsonl")} == {
        "status_400",
        "not_a_dead_letter",
    }


@pytest.mark.parametrize(
    ("source", "changes", "reason"),
    [
        ("jsonl:x", {}, "source: expected kafka:TOPIC or dead-letters:FILE"),
        ("dead-letters:", {}, "source: expected dead-letters:FILE"),
        ("dead-letters:x", {"dead_letters": Path("./x")}, "must be another file"),
        ("kafka:t", {"dead_letters": "kafka:t"}, "must be another topic"),
    ],
)
def test_a_redrive_that_cannot_work_is_refused(
    workplace: Workplace, source: str, changes: dict[str, Any], reason: str
) -> None:
    """Among others, one that would read what it writes."""
    with pytest.raises(SettingsError, match=reason):
        redrive_settings(workplace.settings(source, **changes), Choice())


@pytest.mark.parametrize("choice", [{"statuses": frozenset({"5"})}, {"per_second": 0.0}])
def test_a_choice_that_cannot_work_is_refused(choice: dict[str, Any]) -> None:
    """A status that is none, and a rate that is none."""
    with pytest.raises(SettingsError, match="expected"):
        Choice(**choice)
