"""What was given up comes back: redrive, and reconcile, which says whether anything is still missing."""

import json
import logging
from datetime import UTC, datetime, timedelta
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
from revertrisk.dispatcher.recovery.reconcile_run import ReconcileSettings, reconcile, run_reconciliation
from revertrisk.dispatcher.recovery.redrive import Choice, GivenUpEvents, redrive_settings, unwrap
from tests.fakes.kafka_cluster import QUICKEST_GROUPS, KafkaCluster
from tests.fakes.scripted_http import PRODUCED, Reply, ScriptedServer

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


async def test_what_is_missing_is_emitted_even_if_the_server_recorded_it(workplace: Workplace) -> None:
    """The stream lacks it, so the server's record is wrong; the letter asks for an emission until one succeeds."""
    path = workplace.write("missing.jsonl", [{"reason": "missing", "event": event(1)}])
    workplace.server.script = lambda _: Reply(500, {"code": "internal_error"})
    await workplace.redrive(f"dead-letters:{path}")
    workplace.server.script = lambda _: PRODUCED
    again = workplace.folder / "again.jsonl"
    await workplace.redrive(f"dead-letters:{again}", dead_letters=workplace.folder / "third.jsonl")
    assert [seen.headers.get("x-revertrisk-reemit") for seen in workplace.server.seen] == ["1", "1"]


async def test_what_the_server_had_accepted_before_is_not_counted_as_produced(workplace: Workplace) -> None:
    """Other letters are answered from the server's record, and the summary says for how many nothing was emitted."""
    letters = [{"reason": "timeout", "rule": "model", "event": event(number)} for number in (1, 2, 3)]
    path = workplace.write("dead.jsonl", letters)
    repeated = Reply(headers={"x-revertrisk-outcome": "produced", "x-revertrisk-repeated": "1"})
    workplace.server.script = lambda seen: (
        PRODUCED if seen.json["event"]["revision"]["rev_id"] == 2 else repeated
    )
    summary = await workplace.redrive(f"dead-letters:{path}")
    assert summary.outcomes == {"produced": 1, "repeated": 2}
    assert all("x-revertrisk-reemit" not in seen.headers for seen in workplace.server.seen)


async def test_a_run_that_excludes_every_letter_warns(
    workplace: Workplace, caplog: pytest.LogCaptureFixture
) -> None:
    """With the server down there is no status to select by; a run that sends all letters says nothing about it."""
    caplog.set_level(logging.INFO, "revertrisk.dispatcher.recovery")
    letters = [
        {"reason": "connection_refused", "rule": "model", "event": event(1)},
        {"reason": "connection_refused", "rule": "another", "event": event(2)},
    ]
    path = workplace.write("dead.jsonl", letters)
    await workplace.redrive(f"dead-letters:{path}", Choice(statuses=frozenset({"50x"})))
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        "2 of 2 dead letters were not sent: 1 of rules with other names (--any-emitter sends them), "
        "1 excluded by --status or --reason"
    )
    caplog.clear()
    await workplace.redrive(f"dead-letters:{workplace.write('one.jsonl', letters[:1])}")
    assert sent(workplace.server) == [1]
    assert not [record for record in caplog.records if "not sent" in record.getMessage()]


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


def error(raw: Any, message: str, *, rule: str = "liftwing_model", **changes: Any) -> dict[str, Any]:
    """An error of change-propagation as its topic holds it."""
    return {
        "$schema": "/error/0.0.3",
        "emitter_id": f"changeprop#{rule}",
        "message": message,
        "raw_event": raw if isinstance(raw, str) else json.dumps(raw),
        "meta": {"stream": "changeprop.error"},
    } | changes


def retried(event: dict[str, Any], status: int) -> dict[str, Any]:
    """A message of change-propagation's retry topic."""
    return {
        "$schema": "/change-prop/retry/1.0.0",
        "emitter_id": "changeprop#liftwing_model",
        "retries_left": 0,
        "error_status": status,
        "original_event": event,
        "meta": {"stream": f"changeprop.retry.{STREAM}"},
    }


async def test_change_propagations_error_topic_is_read_to_its_end_and_remembered(
    workplace: Workplace, cluster: KafkaCluster
) -> None:
    """D1, D2: the event inside is sent, whether it failed at once or as a retry; other rules' errors are left alone."""
    topic = "eqiad.changeprop.error"
    other = event(9, meta=event(9)["meta"] | {"stream": "resource_change"})
    errors = [
        error(event(1), "m", details={"status": 500}),
        error(retried(event(2), 400), "503: http_error"),
        error(other, "500: http_error"),
        error("not json", "504: internal_http_error"),
        error("not json either", "500: http_error", rule="mw_purge"),
        error(event(3), "500: http_error", rule="liftwing_another"),
        # It came from the topic of the rule, whatever it says itself.
        error(retried(other, 503), "read ECONNRESET"),
    ]
    cluster.create(topic, 1)
    cluster.produce(topic, ((0, json.dumps(each).encode()) for each in errors))
    kafka = {"kafka": (f"bootstrap.servers={cluster.brokers}", *QUICKEST_GROUPS)}

    summary = await workplace.redrive(
        f"kafka:{topic}", Choice(statuses=frozenset({"50x"})), group="a", **kafka
    )
    assert sorted(sent(workplace.server)) == [1, 2]
    assert summary.outcomes == {"produced": 2, "unmatched:meta.stream": 1, "given_up:not_a_dead_letter": 1}
    for reason in ("status_503", "connection_reset"):
        await workplace.redrive(f"kafka:{topic}", Choice(reasons=frozenset({reason})), group=reason, **kafka)
    assert sent(workplace.server)[2:] == [2, 9]
    summary = await workplace.redrive(f"kafka:{topic}", Choice(any_emitter=True), group="c", **kafka)
    assert summary.outcomes == {"produced": 4, "unmatched:meta.stream": 1, "given_up:not_a_dead_letter": 2}
    summary = await workplace.redrive(f"kafka:{topic}", Choice(any_emitter=True), group="c", **kafka)
    assert (summary.read, summary.is_clean) == (0, True)


async def test_h4_a_renamed_wiki_is_missing_and_a_changed_page_is_not(workplace: Workplace) -> None:
    """H4: an event whose domain differs from the wiki table's is listed, whether server or dispatcher skipped it.

    Events that were skipped for another reason are not listed.
    """
    renamed = event(1, meta=event(1)["meta"] | {"domain": "ger.wikipedia.org"})
    events = workplace.write(
        "events.jsonl", [renamed, *map(event, (2, 3, 4)), event(5, wiki_id="unheardofwiki")]
    )
    reasons = {2: "unknown_wiki", 3: "page_changed", 4: "no_parent"}
    skips = workplace.write(
        "skips.jsonl",
        [{"wiki_id": "dewiki", "rev_id": number, "reason": reason} for number, reason in reasons.items()],
    )
    missing = await workplace.missing(events, workplace.write("predictions.jsonl", []), skips=skips)
    assert [line["rev_id"] for line in missing] == [1, 2]


@pytest.mark.parametrize(
    ("records", "status", "said"),
    [
        (["event"], 0, ""),
        (["event", "skipped"], 0, '"skipped":{"no_parent":1}'),
        (["event", "not json"], 3, "1 records could not be read"),
        (["event", "missing", "not json"], 1, "1 records could not be read"),
        (["not json"], 1, "no event of this time was read"),
    ],
)
def test_d8_records_that_cannot_be_read_have_a_status_of_their_own(
    workplace: Workplace, capsys: pytest.CaptureFixture[str], records: list[str], status: int, said: str
) -> None:
    """D8: nothing is missing is not the same as nothing could be read, and each is said."""
    first = event(3, revision=event(3)["revision"] | {"rev_parent_id": 0})
    lines = {
        "event": json.dumps(event(1)),
        "missing": json.dumps(event(2)),
        "skipped": json.dumps(first),
        "not json": "{",
    }
    (workplace.folder / "events.jsonl").write_text("".join(lines[name] + "\n" for name in records))
    workplace.write("predictions.jsonl", [{"wiki_id": "dewiki", "revision": {"rev_id": 1}}])
    settings = ReconcileSettings(
        events=f"jsonl:{workplace.folder / 'events.jsonl'}",
        predictions=f"jsonl:{workplace.folder / 'predictions.jsonl'}",
        rule_file=workplace.folder / "rule.yaml",
        since=DAY,
        until=DAY + timedelta(days=1),
        output=workplace.folder / "missing.jsonl",
    )
    assert run_reconciliation(settings) == status
    assert said in capsys.readouterr().err


async def test_d8_a_stream_is_not_waited_for(workplace: Workplace) -> None:
    """D8: a window that is not over yet is refused where its end would be waited for."""
    settings = ReconcileSettings(
        events=f"eventstreams:{STREAM}",
        predictions=f"jsonl:{workplace.write('predictions.jsonl', [])}",
        rule_file=workplace.folder / "rule.yaml",
        since=DAY,
        until=datetime.now(UTC) + timedelta(hours=1),
    )
    with pytest.raises(SettingsError, match="until: expected a time in the past"):
        await reconcile(settings)


@pytest.mark.parametrize(
    ("message", "status", "reason"),
    [
        ("500: http_error", 500, "status_500"),
        ("404: https://example.org/not_found: 503", 404, "status_404"),
        ("503", 503, "status_503"),
        ("503 Service Unavailable", 503, "status_503"),
        ("read ECONNRESET", None, "connection_reset"),
        ("Error: connect ECONNREFUSED 10.2.1.5:31443", None, "connection_refused"),
        ("socket hang up", None, "connection_reset"),
        ("ESOCKETTIMEDOUT", None, "timeout"),
        ("getaddrinfo ENOTFOUND host", None, "connection_failed"),
        ("5000 ms have passed", None, "no_status"),
        ("", None, "no_status"),
        (None, None, "no_status"),
    ],
)
def test_d1_the_status_of_an_error_stands_in_its_message(
    message: str | None, status: int | None, reason: str
) -> None:
    """D1: where there are no details; the status of a retry message is that of the try before, and is not taken."""
    for raw in (event(1), retried(event(1), 502)):
        found = unwrap(error(raw, "") | {"message": message})
        assert (found.event, found.status, found.reason) == (event(1), status, reason)
        detailed = unwrap(error(raw, "") | {"message": message, "details": {"status": 502}})
        assert (detailed.status, detailed.reason) == (502, "status_502")


def test_d1_d2_a_real_error_is_read(shared: Path) -> None:
    """D1, D2: an error of change-propagation 0.13.0, with its status and its rule."""
    real = json.loads((shared / "cases" / "changeprop_error_500.json").read_text())
    found = unwrap(real)
    assert found.event == json.loads(real["raw_event"])
    assert (found.status, found.reason) == (500, "status_500")
    assert found.rule == "liftwing_revertrisk-language-agnostic"


async def test_a_redrive_goes_on_where_the_last_one_ended(
    workplace: Workplace, caplog: pytest.LogCaptureFixture
) -> None:
    """A second run sends what was not sent, and later what was added to the file; one that finds nothing says so."""
    caplog.set_level(logging.INFO, "revertrisk.dispatcher.recovery")
    letters = [{"reason": "timeout", "rule": "model", "event": event(number)} for number in range(1, 6)]
    path = workplace.write("dead.jsonl", letters)
    await workplace.redrive(f"dead-letters:{path}", limit=2)
    await workplace.redrive(f"dead-letters:{path}")
    assert "no dead letters were read" not in caplog.text
    await workplace.redrive(f"dead-letters:{path}")
    assert "an earlier run with the same selection has read them all" in caplog.text
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
    """An invalid status, and a rate of zero."""
    with pytest.raises(SettingsError, match="expected"):
        Choice(**choice)
