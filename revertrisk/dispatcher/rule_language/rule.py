"""A rule: which events it takes, the request that it makes for each, and its retries."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from revertrisk.dispatcher.rule_language.matching import Condition
from revertrisk.dispatcher.rule_language.request import Request, RequestTemplate
from revertrisk.dispatcher.rule_language.templates import Context, Template, UnexpandableError
from revertrisk.event_platform.streams import CANARY_DOMAIN, event_meta, is_canary, received_at

_HASH_BYTES = 8
_HASH_RANGE = 1 << 64
# The prefix of a topic's name is its data centre; in a mirror, the source cluster's name comes before it.
_PREFIX = re.compile(r"(?:[^.]+\.)?(?:(?:eqiad|codfw)\.)?")


@dataclass(frozen=True, slots=True)
class Sample:
    """A share of the events. The hash of a text made from an event decides, so the choice is always the same."""

    rate: float
    hash_template: Template

    def takes(self, context: Context) -> bool:
        """Return whether the event is in the sample; an event that lacks a field of the template is not."""
        try:
            text = self.hash_template.text(context)
        except UnexpandableError:
            return False
        digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=_HASH_BYTES).digest()
        return int.from_bytes(digest) < self.rate * _HASH_RANGE


@dataclass(frozen=True, slots=True)
class Case:
    """One way for a rule to take an event; a rule without ``cases`` has exactly one."""

    path: str
    """Empty, or ``cases[1]``."""
    match: Condition | None
    match_not: tuple[Condition, ...]
    sample: Sample | None
    request: RequestTemplate

    def refusal(self, event: Mapping[str, Any]) -> "NotMatched | None":
        """Return the first condition that the event does not meet, or None if the case matches."""
        prefix = f"{self.path}." if self.path else ""
        if self.match is not None:
            mismatch = self.match.mismatch(event)
            if mismatch is not None:
                return NotMatched(f"{prefix}match: {mismatch}", mismatch.path)
        for index, condition in enumerate(self.match_not):
            if condition.mismatch(event) is None:
                place = f"{prefix}match_not[{index}]"
                return NotMatched(f"{place}: the event matches it", place)
        return None

    def captures(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of ``{{match.…}}``: nested like the match, and each group also by its name alone."""
        return _with_bare_names(self.match.captures(event)) if self.match is not None else {}


@dataclass(frozen=True, slots=True)
class Taken:
    """The rule takes the event, by this case."""

    case: Case


@dataclass(frozen=True, slots=True)
class Canary:
    """The event is a canary, which only shows that its stream works."""

    why: str = f"meta.domain is {CANARY_DOMAIN!r}"


@dataclass(frozen=True, slots=True)
class SampledOut:
    """The rule matches, but the event is not in its sample."""

    why: str


@dataclass(frozen=True, slots=True)
class NotMatched:
    """The event has no ``meta`` or is of another topic, or no case matches: in each case a condition failed."""

    why: str
    field: str
    """The field of the first condition that failed, or the ``match_not`` that excludes the event."""


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """``limit`` retries after the first try; the n-th (from 0) waits ``delay_s * factor**n`` seconds."""

    limit: int
    delay_s: float
    factor: float

    def pause_s(self, retry: int, *, retry_after_s: float | None, longest_s: float) -> float:
        """Return the pause before the n-th retry in seconds. A longer Retry-After has priority, up to ``longest_s``."""
        own = self.delay_s * self.factor**retry
        return own if retry_after_s is None else max(own, min(retry_after_s, longest_s))


PRODUCTION_RETRIES = RetrySchedule(limit=2, delay_s=60.0, factor=6.0)
"""change-propagation's defaults: after one minute and after six more."""
QUICK_RETRIES = RetrySchedule(limit=3, delay_s=0.5, factor=2.0)
"""After 0.5, 1 and 2 seconds.

For files: a person waits for the end, and an event that waits for a retry occupies one of the concurrent requests.
"""

Verdict = Taken | Canary | SampledOut | NotMatched


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, checked and compiled."""

    name: str
    topic: str
    """The stream of the rule, without the prefix of a data centre."""
    cases: tuple[Case, ...]
    concurrency: int
    retry_on: frozenset[int]
    """The statuses after which a request is retried."""
    ignore: frozenset[int]
    """Error statuses that finish an event without a dead letter."""
    retries: RetrySchedule
    timeout_s: float
    """For one try, from connecting to the last byte."""
    claim_ttl_s: float | None = None
    """Events older than this by ``meta.dt`` are dropped; None keeps all."""
    order_by: Template | None = None
    """Events with the same value, such as a page id, are sent one after another; None for no order."""
    any_topic: bool = False
    """Take events of any topic or stream."""

    def judge(self, event: Mapping[str, Any], topic: str | None = None) -> Verdict:
        """Decide whether the rule takes an event: the first case that matches decides, with its sample.

        ``topic`` is the Kafka topic that the event first came from; None if that is not known.
        """
        if is_canary(event):
            return Canary()
        # change-propagation drops an event without meta before it applies rules.
        if not isinstance(event.get("meta"), dict):
            return NotMatched("meta: the event has none", "meta")
        other_topic = self._other_topic(event, topic)
        if other_topic is not None:
            return other_topic
        refusals: list[NotMatched] = []
        for case in self.cases:
            refusal = case.refusal(event)
            if refusal is None:
                if case.sample is None or case.sample.takes(Context(event, case.captures(event))):
                    return Taken(case)
                return SampledOut(f"{case.path}.sample" if case.path else "sample")
            refusals.append(refusal)
        return NotMatched("; ".join(refusal.why for refusal in refusals), refusals[0].field)

    def is_for(self, topic: str) -> bool:
        """Return whether a topic is the rule's topic, with or without the prefix of a data centre or a mirror."""
        return self.any_topic or (
            topic.endswith(self.topic) and _PREFIX.fullmatch(topic.removesuffix(self.topic)) is not None
        )

    def _other_topic(self, event: Mapping[str, Any], topic: str | None) -> NotMatched | None:
        if topic is not None:
            return None if self.is_for(topic) else NotMatched(f"topic: it is not {self.topic!r}", "topic")
        # An event without meta.stream is assumed to be of the rule's topic.
        if self.any_topic or event_meta(event).get("stream", self.topic) == self.topic:
            return None
        return NotMatched(f"topic: meta.stream is not {self.topic!r}", "meta.stream")

    def has_expired(self, event: Mapping[str, Any], now: datetime) -> bool:
        """Return whether an event is older than ``claim_ttl_s``; an event without a time is not."""
        if self.claim_ttl_s is None:
            return False
        received = received_at(event)
        return received is not None and (now - received).total_seconds() > self.claim_ttl_s

    def order_key(self, case: Case, event: Mapping[str, Any]) -> str | None:
        """Return the event's key of ``order_by``; None if the rule has none, or the event lacks the field."""
        if self.order_by is None:
            return None
        try:
            return self.order_by.text(Context(event, case.captures(event)))
        except UnexpandableError:
            return None

    def request(self, case: Case, event: Mapping[str, Any]) -> Request:
        """Build the request for an event that the rule takes; raises UnexpandableError."""
        return case.request.build(Context(event, case.captures(event)), topic=self.topic)


def _with_bare_names(nested: dict[str, Any]) -> dict[str, Any]:
    return {**_leaves(nested), **nested}


def _leaves(nested: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, part in nested.items():
        for leaf, value in (_leaves(part) if isinstance(part, dict) else {name: part}).items():
            found.setdefault(leaf, value)
    return found
