"""What a rule says: which events it takes, and the request it makes of each."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dispatcher.matching import Condition
from dispatcher.requests import Request, RequestTemplate
from dispatcher.retries import RetrySchedule
from dispatcher.templates import Context, Template, UnexpandableError

CANARY_DOMAIN = "canary"
_HASH_BYTES = 8
_HASH_RANGE = 1 << 64


@dataclass(frozen=True, slots=True)
class Sample:
    """A share of the events, always the same ones: the hash of a text made of the event decides."""

    rate: float
    hash_template: Template

    def takes(self, context: Context) -> bool:
        """Tell whether the event is in the sample; one that lacks a field of the template is not."""
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

    def refusal(self, event: Mapping[str, Any]) -> str | None:
        """Return the first condition that the event does not meet, or None where the case matches."""
        prefix = f"{self.path}." if self.path else ""
        if self.match is not None:
            mismatch = self.match.mismatch(event)
            if mismatch is not None:
                return f"{prefix}match: {mismatch}"
        for index, condition in enumerate(self.match_not):
            if condition.mismatch(event) is None:
                return f"{prefix}match_not[{index}]: the event matches it"
        return None

    def captures(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return what ``{{match.…}}`` refers to: nested as the match is, and each group by its bare name."""
        return _with_bare_names(self.match.captures(event)) if self.match is not None else {}


@dataclass(frozen=True, slots=True)
class Taken:
    """A rule takes an event, by this case."""

    case: Case


@dataclass(frozen=True, slots=True)
class Canary:
    """The event only proves that its stream is alive."""

    why: str = "meta.domain is 'canary'"


@dataclass(frozen=True, slots=True)
class SampledOut:
    """The rule matches, and the event is not in its sample."""

    why: str


@dataclass(frozen=True, slots=True)
class NotMatched:
    """A condition failed; with several cases, one of each."""

    why: str


Verdict = Taken | Canary | SampledOut | NotMatched


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, checked and compiled."""

    name: str
    topic: str
    """The stream that the rule is for, without a datacentre's prefix."""
    cases: tuple[Case, ...]
    concurrency: int
    retry_on: frozenset[int]
    """The statuses that are worth another try."""
    ignore: frozenset[int]
    """Error statuses that are the end of it, without a dead letter."""
    retries: RetrySchedule
    timeout_s: float
    """For one try, from connecting to the last byte."""

    def judge(self, event: Mapping[str, Any]) -> Verdict:
        """Decide whether the rule takes an event; the first case that matches wins, and then samples."""
        meta = event.get("meta")
        meta = meta if isinstance(meta, dict) else {}
        if meta.get("domain") == CANARY_DOMAIN:
            return Canary()
        # An event that names no stream is what its source says it is.
        if meta.get("stream", self.topic) != self.topic:
            return NotMatched(f"topic: meta.stream is not {self.topic!r}")
        refusals = []
        for case in self.cases:
            refusal = case.refusal(event)
            if refusal is None:
                if case.sample is None or case.sample.takes(Context(event, case.captures(event))):
                    return Taken(case)
                return SampledOut(f"{case.path}.sample" if case.path else "sample")
            refusals.append(refusal)
        return NotMatched("; ".join(refusals))

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
