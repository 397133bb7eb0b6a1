"""Whatever is sent: no 500, no event that breaks its schema, and nothing of the input in a log or an error.

``FUZZ_EXAMPLES`` is the number of bodies for each of the tests; the default keeps all of them within a minute.
"""

import http.client
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revertrisk.cli.programs import Program, running
from revertrisk.event_platform.prediction_change import PREDICTION_SCHEMA
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from tests.fakes.clients import FAILURE_KEYS, MODEL, STREAM, StartServer
from tests.fakes.edited_wikis import HISTORY, MARKER, UNDELETED, EditedWikis, edit_of, serving_edited_wikis
from tests.integration.fuzzing.mutations import (
    as_json,
    broken_bodies,
    call_bodies,
    event_bodies,
    tensor_bodies,
)

pytestmark = pytest.mark.ci("long fuzzing")

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "1000"))
REVISIONS = [edit_of(number) for number in range(1, 20)]
ALLOWED = {200, 400, 409, 422, 503}
"""503 is for a revision that the wiki does not have yet."""
PREDICT = f"/v1/models/{MODEL}:predict"
INFER = f"/v2/models/{MODEL}/infer"
HEADERS = {"X-Revertrisk-Reemit": "1", "Content-Type": "application/json"}
VALIDATOR = EventValidator(SchemaRepository().load(PREDICTION_SCHEMA))


@dataclass(frozen=True)
class Target:
    """A server with its gate, and a connection to it that is kept."""

    program: Program
    gate: str
    wikis: EditedWikis

    def send(self, body: bytes, path: str = PREDICT) -> tuple[int, bytes, str | None]:
        """POST a body and return the answer's status, body and outcome."""
        connection = http.client.HTTPConnection(self.program.url.removeprefix("http://"), timeout=30)
        with closing(connection):
            connection.request("POST", path, body, HEADERS)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.getheader("x-revertrisk-outcome")

    def get(self, path: str) -> object:
        """GET a path of the gate."""
        connection = http.client.HTTPConnection(self.gate.removeprefix("http://"), timeout=30)
        with closing(connection):
            connection.request("GET", path)
            return orjson.loads(connection.getresponse().read())


@pytest.fixture(scope="module", params=["strict", "lenient"])
def target(
    request: pytest.FixtureRequest, start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    """A producer, strict as in production or lenient as in a demo, whose log and stream are checked at the end."""
    folder = tmp_path_factory.mktemp("fuzzing")
    lenient = request.param == "lenient"
    with (
        serving_edited_wikis() as wikis,
        running(["mock-eventgate", "--port", "0"], folder / "gate.log") as gate,
        start_server(
            WIKI_URL=wikis.url,
            EVENTGATE_URL=gate.url,
            EVENTGATE_STREAM=STREAM,
            LENIENT_EVENTS=str(lenient),
            ALLOW_REVISION_JSON_INPUT="true",
        ) as program,
    ):
        target = Target(program, gate.url, wikis)
        assert target.send(as_json({"event": wikis.event(1)}))[2] == "produced"
        yield target
        accepted, refused = (target.get(f"/_mock/{name}?limit=10000") for name in ("events", "refused"))
        assert isinstance(accepted, dict)
        assert isinstance(refused, dict)
        assert refused["events"] == []
        assert len(accepted["events"]) > 0
        assert all(VALIDATOR.is_valid(item["event"]) for item in accepted["events"])
        assert MARKER not in program.log.read_text()


def sources(target: Target) -> list[dict[str, object]]:
    """The events that mutations begin with: edits of several kinds, and an undelete."""
    wikis = target.wikis
    return [
        *(wikis.event(number) for number in range(1, 6)),
        wikis.of(edit_of(HISTORY)),
        wikis.event(UNDELETED),
        wikis.event(1, "zh_yuewiki"),
    ]


def check(target: Target, body: bytes, path: str = PREDICT) -> None:
    """Send a body and check what must hold of every answer."""
    status, answer, outcome = target.send(body, path)
    assert status in ALLOWED, answer
    if status != 200:
        assert MARKER.encode() not in answer
        assert orjson.loads(answer).keys() >= FAILURE_KEYS
    else:
        assert (
            MARKER.encode() not in answer or b'"errors"' in answer
        )  # a batch names its items in the caller's words
    assert outcome is None or status == 200


def thorough(examples: int) -> settings:
    return settings(
        max_examples=examples,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.timeout(3600)
@thorough(EXAMPLES)
@given(data=st.data())
def test_mutated_events_are_produced_skipped_or_refused(target: Target, data: st.DataObject) -> None:
    """An event with any of its fields replaced, removed, added or moved."""
    check(target, data.draw(event_bodies(sources(target))))


@pytest.mark.timeout(3600)
@thorough(EXAMPLES // 2)
@given(body=call_bodies(REVISIONS))
def test_calls_batches_and_unsaved_edits_are_scored_or_refused(target: Target, body: bytes) -> None:
    """Every other form of a body, with any values."""
    check(target, body)


@pytest.mark.timeout(3600)
@thorough(EXAMPLES // 2)
@given(data=st.data())
def test_broken_bodies_are_refused(target: Target, data: st.DataObject) -> None:
    """Bytes that were cut or changed on their way."""
    check(target, data.draw(broken_bodies(sources(target))))


@pytest.mark.timeout(3600)
@thorough(EXAMPLES // 2)
@given(body=tensor_bodies(REVISIONS))
def test_tensors_are_scored_or_refused(target: Target, body: bytes) -> None:
    """The V2 protocol, whose route is KServe's own."""
    check(target, body, INFER)
