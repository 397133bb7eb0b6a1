"""A run from its settings to its end: what cannot start, limits, checkpoints, metrics, and every way to stop."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from revertrisk.dispatcher import Outcome, RuleFileError, SettingsError, dispatch
from revertrisk.dispatcher.client import ServiceClient, new_session
from revertrisk.dispatcher.deadletters import DeadLetterFile
from revertrisk.dispatcher.executor import Executor
from revertrisk.dispatcher.pipeline import DispatchPipeline
from revertrisk.dispatcher.rule_language.rule_file import load_rules
from revertrisk.streams import Position, SourcedEvent, SourceError
from tests.fakes.scripted_http import PRODUCED, Misbehaviour, Reply, ScriptedServer, bound_socket
from tests.integration.dispatcher.workplace import RULE, Workplace, event, hearing


async def test_a_server_that_refuses_everything_stops_the_run(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """After so many in a row, not after so many in all; what was read is kept, and the rest is left for later."""
    model_server.script = lambda seen: PRODUCED if seen.json["event"]["page"]["page_id"] == 3 else Reply(404)
    summary = await workplace.run(
        model_server.url, [event(number) for number in range(1, 1001)], refusal_limit=5, concurrency=1
    )
    assert summary.source_error == "stopped: 5 requests in a row were given up, the last for status_404"
    assert summary.outcomes["produced"] == 1
    assert 7 <= summary.given_up <= 8  # the next one may be under way
    assert list(summary.committed.values()) == [1 + summary.given_up]
    assert not summary.is_clean


async def test_metrics_are_served_while_the_run_lasts(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """Prometheus reads them from the port."""
    bound = bound_socket()
    port = bound.getsockname()[1]
    bound.close()
    model_server.gate.clear()
    running = asyncio.create_task(
        workplace.run(model_server.url, [event(1, wiki_id="x"), event(2)], metrics_port=port)
    )
    await model_server.arrived(1)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        text = await answer.text()
    model_server.gate.set()
    await running
    assert 'dispatcher_events_total{outcome="unmatched:wiki_id",rule="none"} 1.0' in text
    assert 'dispatcher_lag_seconds{source="jsonl"}' in text


@pytest.mark.parametrize(("cut", "sent"), [(9, [1, 2]), (0, [1, 2, 2])])
async def test_d5_a_last_line_is_not_done_before_its_end(
    workplace: Workplace, model_server: ScriptedServer, tmp_path: Path, cut: int, sent: list[int]
) -> None:
    """D5: a half one is sent by the run after it is completed, and a whole one once more, as the same event."""
    workplace.write([event(1), event(2)])
    file, checkpoint = tmp_path / "events.jsonl", tmp_path / "checkpoint"
    whole = file.read_bytes()
    for written, committed in ((whole[: -1 - cut], 1), (whole, 2)):
        file.write_bytes(written)
        summary = await dispatch(workplace.settings(model_server.url, checkpoint=checkpoint))
        assert (summary.is_clean, summary.committed) == (True, {f"jsonl:{file}": committed})
    assert (await dispatch(workplace.settings(model_server.url, checkpoint=checkpoint))).read == 0
    assert [seen.json["event"]["page"]["page_id"] for seen in model_server.seen] == sent


async def test_a_checkpoint_takes_a_file_up_where_it_was(
    model_server: ScriptedServer, workplace: Workplace, tmp_path: Path
) -> None:
    """A second run sends the rest, and another file under the same name is refused."""
    events = [event(number) for number in range(1, 11)]
    checkpoint = tmp_path / "checkpoint"
    await workplace.run(model_server.url, events, limit=4, checkpoint=checkpoint)
    summary = await workplace.run(model_server.url, events, checkpoint=checkpoint)
    assert summary.outcomes == {"produced": 6}
    assert [seen.json["event"]["page"]["page_id"] for seen in model_server.seen] == list(range(1, 11))
    summary = await workplace.run(model_server.url, [event(99), *events], checkpoint=checkpoint)
    assert "the checkpoint is of another input" in str(summary.source_error)
    assert summary.read == 0


async def test_a_source_is_let_go_even_where_it_cannot_commit(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """A commit that fails at the end is the caller's to see, and the source is closed all the same."""

    class Full:
        """Yields an event, and has no room to remember that it is done."""

        is_closed = False

        async def events(self) -> AsyncGenerator[SourcedEvent, None]:
            yield SourcedEvent(event(1), Position("x", 1))

        async def commit(self, position: Position) -> None:
            raise SourceError(f"{position} cannot be kept")

        async def close(self) -> None:
            self.is_closed = True

    workplace.write([])
    settings = workplace.settings(model_server.url)
    rules = load_rules(settings.rule_file, target=model_server.url)
    source = Full()
    async with new_session("test") as session:
        with DeadLetterFile(Path(settings.dead_letters)) as dead_letters:
            pipeline = DispatchPipeline(
                source, rules, Executor(rules, ServiceClient(session), dead_letters), grace_s=1
            )
            with pytest.raises(SourceError, match="x:1 cannot be kept"):
                await pipeline.run(asyncio.Event())
    assert source.is_closed


async def test_a_limit_ends_the_reading(model_server: ScriptedServer, workplace: Workplace) -> None:
    """So many records are read, whatever becomes of them."""
    events = [event(1), b"broken", event(3, wiki_id="x"), event(4), event(5)]
    summary = await workplace.run(model_server.url, events, limit=4)
    assert summary.read == 4
    assert summary.outcomes == {"produced": 2, "given_up:invalid_json": 1, "unmatched:wiki_id": 1}


async def test_stopping_finishes_what_is_in_flight_and_reads_no_more(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """After a stop the requests under way get their answers, and are committed; no others are started."""
    model_server.gate.clear()
    stop = asyncio.Event()
    running = asyncio.create_task(
        workplace.run(model_server.url, [event(number) for number in range(20)], concurrency=3, stop=stop)
    )
    await model_server.arrived(3)
    with hearing("revertrisk.dispatcher.pipeline", "stopping: 3 requests in flight") as stopping:
        stop.set()
        await stopping.wait()
    model_server.gate.set()
    summary = await running
    assert summary.outcomes == {"produced": 3}
    assert len(model_server.seen) == 3
    assert list(summary.committed.values()) == [3]
    # The fourth had been read and waited for a slot.
    assert (summary.read, summary.interrupted) == (4, 1)


async def test_what_does_not_finish_in_the_grace_period_is_not_committed(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """Of what is cut short nothing is committed, nor anything behind it, though that may be done."""
    model_server.script = lambda seen: (
        Misbehaviour.HANG if seen.json["event"]["page"]["page_id"] == 2 else PRODUCED
    )
    stop = asyncio.Event()
    running = asyncio.create_task(
        workplace.run(
            model_server.url, [event(n) for n in range(1, 5)], concurrency=4, stop=stop, grace_s=0.05
        )
    )
    await model_server.arrived(4)
    await workplace.settled(3)
    stop.set()
    summary = await running
    assert (summary.outcomes, summary.interrupted) == ({"produced": 3}, 1)
    assert list(summary.committed.values()) == [1]
    assert not summary.is_clean


async def test_a_callback_that_fails_stops_the_run(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """A caller's error is the caller's to see, and is not committed over."""

    def fail(outcome: Outcome) -> None:
        raise RuntimeError(outcome.label)

    workplace.write([event(number) for number in range(10)])
    with pytest.raises(RuntimeError, match="produced"):
        await dispatch(workplace.settings(model_server.url), fail)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": "events.jsonl"}, "source: expected jsonl:FILE"),
        ({"source": "jsonl:"}, "source: expected jsonl:FILE"),
        ({"target": "localhost:8080"}, "target: expected http://host:port"),
        ({"target": "http://"}, "target: expected"),
        ({"target": "http://h/?x=1"}, "target: expected"),
        ({"target": "http://user:secret@h/"}, "target: expected"),
        ({"target": "http://h:port/"}, "target: "),
        ({"concurrency": 0}, "concurrency: expected a number of at least 1"),
        ({"limit": 0}, "limit: expected a number of at least 1"),
        ({"source": "eventstreams:http://h:99999/v2/stream/x"}, "source: expected eventstreams:STREAM"),
        ({"source": "eventstreams:http://[h/v2/stream/x"}, "source: expected eventstreams:STREAM"),
        ({"metrics_port": 65536}, "metrics_port: expected a number from 0 to 65535, not 65536"),
    ],
)
async def test_a_setting_that_cannot_work_is_named(
    workplace: Workplace, changes: dict[str, Any], reason: str
) -> None:
    """Nothing is read, sent or written before every setting is known to work."""
    workplace.write([event(1)])
    with pytest.raises(SettingsError, match=reason) as caught:
        await dispatch(workplace.settings(**{"target": "http://127.0.0.1:1"} | changes))
    assert "secret" not in str(caught.value)


async def test_a_rule_that_cannot_work_stops_the_start(workplace: Workplace) -> None:
    """The path of the field is in the error."""
    workplace.write([event(1)], RULE.replace("/wiki$/", "/(/"))
    with pytest.raises(RuleFileError, match=r"rules\[0\]\.match\.wiki_id"):
        await dispatch(workplace.settings("http://127.0.0.1:1"))
