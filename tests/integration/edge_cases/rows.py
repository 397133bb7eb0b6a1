"""The edge cases by number, the tests that hold those which no test here is named after, and what tests saw."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from tests.fakes.clients import Reply
from tests.fakes.edited_wikis import LARGEST

RECORD_VARIABLE = "EDGE_CASES_RECORD"
"""The environment variable with the file to which tests add what they saw."""
LIMITS = {
    "AIOHTTP_CLIENT_TIMEOUT": "0.5",
    "REQUEST_DEADLINE": "4",
    "MAX_REVISION_BYTES": str(LARGEST),
    "ALLOW_REVISION_JSON_INPUT": "true",
}
"""The settings of the servers here: time-outs that a test can wait for."""
TEST_NAME = re.compile(r"test_e(\d\d)_\w+")

SITUATIONS: Mapping[int, str] = {
    1: "MediaWiki times out, fails, resets, limits the rate, or reports `maxlag` inside a 200",
    2: "EventGate is down, slow or broken",
    3: "EventGate refuses the event as invalid",
    4: "EventGate's 500 means that the stream or the schema is not configured",
    5: "EventGate answers 201, 202, 207 or something else",
    6: "Only one of `EVENTGATE_URL` and `EVENTGATE_STREAM` is set, or neither",
    7: "`EVENTGATE_STREAM` names a topic, with its datacentre",
    8: "The same event is delivered again",
    9: "The same event is delivered several times at once",
    10: "An older revision is finished after a newer one",
    11: "The revision is not visible yet",
    12: "The revision's text is deleted or suppressed",
    13: "The editor is hidden",
    14: "The comment is hidden",
    15: "The revision created its page",
    16: "The parent is deleted, hidden or another page's",
    17: "A move or protection changes no text",
    18: "Redirects, and what they point to",
    19: "A page is restored",
    20: "A page is deleted, or what is visible of it changes",
    21: "A schema version or a kind of change that is not known",
    22: "Fields that are not known",
    23: "Content slots in the event",
    24: "Events as users write them by hand, with fields missing",
    25: "A canary event",
    26: "Wikis whose id, host and language differ",
    27: "Closed, private and other wikis; a domain that is not the wiki's",
    28: "Hosts injected through `lang` or the event",
    29: "A wiki that the model was not made for",
    30: "`lang` or `rev_id` missing or of a wrong type",
    31: "Bodies that are no JSON object, and batches",
    32: "Two forms of a request in one body",
    33: "Huge pages",
    34: "Content that is not wikitext, empty or odd",
    35: "Titles in any script",
    36: "A score that is no probability",
    37: "The types of predictions and of the answer",
    38: "Two versions of a model are live",
    39: "Bots, self-reverts and patrollers",
    40: "Temporary accounts",
    41: "`dt` lies far in the past",
    42: "What `meta` holds",
    43: "Wikimedia's User-Agent policy",
    44: "MediaWiki redirects",
    45: "SIGTERM with work in flight",
    46: "More work than places; health meanwhile",
    47: "Several workers in one process group",
    48: "Idle connections behind a proxy",
    49: "Logs",
    50: "Forms of dates",
    51: "A consumer reconnects, and sees duplicates out of order",
    52: "What counts as reverted",
    53: "A forged or mistaken event",
    54: "Silence, or many skips",
}
"""What happens, in a few words."""

ELSEWHERE: Mapping[int, tuple[str, ...]] = {
    33: ("tests/unit/scoring/test_changes.py",),
    45: ("tests/integration/model_server/test_shutdown.py",),
    47: ("tests/integration/model_server/test_workers.py",),
    51: ("tests/contract/stream/test_resuming.py", "tests/unit/consumer/test_consumer.py"),
    52: ("tests/unit/scoring/training/test_history.py",),
}
"""Test files that hold a row, or more of it, than tests named after it."""

NOT_OURS: Mapping[int, str] = {}
"""Rows that the design makes void, and why."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one test was answered, without what differs from run to run."""

    test: str
    module: str
    answers: tuple[str, ...]

    @classmethod
    def of(cls, test: str, module: str, replies: Sequence[Reply]) -> Self:
        """Describe a test's answers, each kind once."""
        return cls(test, module, tuple(dict.fromkeys(describe(reply) for reply in replies)))


def describe(reply: Reply) -> str:
    """Write an answer's status and body on one line."""
    body = reply.body
    if reply.status >= 400:
        wait = f", `Retry-After: {reply.headers['retry-after']}`" if "retry-after" in reply.headers else ""
        return f"{reply.status} `{body['code']}`{wait}: {body['error']}"
    if "skipped" in body:
        return f'200 `{{"skipped":true,"reason":"{body["reason"]}"}}`'
    if "output" in body:
        outcome = f", `{reply.outcome}`" if reply.outcome else ""
        return f"200 with a score{outcome}"
    scores, errors = len(body["predictions"]), len(body.get("errors", ()))
    return f"200 with {scores} scores and {errors} errors"
