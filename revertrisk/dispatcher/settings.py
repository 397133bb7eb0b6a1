"""The settings of one run of the dispatcher."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from revertrisk.dispatcher.rule_language.rule import RetrySchedule
from revertrisk.runtime.headers import user_agent
from revertrisk.runtime.output_files import is_same_file

DEFAULT_USER_AGENT = user_agent("revertrisk-dispatcher")
DEFAULT_REFUSAL_LIMIT = 1000
NO_RETRY_TOPIC = "none"
"""The value of ``retry_topic`` for no retry topic."""


class SettingsError(Exception):
    """A setting is invalid; the message names it and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchSettings:
    """One run: the source of the events, the rules, and the destination."""

    source: str
    """``jsonl:FILE``, ``jsonl:-``, ``kafka:TOPIC[,TOPIC]`` or ``eventstreams:URL``."""
    rule_file: Path
    any_topic: bool = False
    """Take events of any topic or stream, not only of each rule's own."""
    target: str | None = None
    """The base address, the value of ``{{globals.target}}``."""
    dead_letters: Path | str = Path("dead-letters.jsonl")
    """A file, or ``kafka:TOPIC``."""
    concurrency: int | None = None
    """The most concurrent requests of each rule; None uses the rule's own."""
    limit: int | None = None
    """Stop after this many records; None reads to the end."""
    retries: RetrySchedule | None = None
    """None: the rules' own schedule if there is a retry topic, otherwise a few quick retries, during which the request
    keeps its slot."""
    grace_s: float = 30.0
    """How long a shutdown waits for requests in flight."""
    user_agent: str = DEFAULT_USER_AGENT
    checkpoint: Path | None = None
    """A SQLite file with the position from which JSONL and EventStreams continue."""
    since: datetime | None = None
    """Where to start if nothing has been committed; None starts with new events."""
    from_start: bool = False
    """Start with the oldest event of a topic if nothing has been committed."""
    to_end: bool = False
    """End when every partition of the topics has been read to its end."""
    kafka: tuple[str, ...] = field(default=(), repr=False)
    """librdkafka's settings as ``key=value``; ``bootstrap.servers`` is required."""
    datacentres: tuple[str, ...] = ()
    """Prefixes of the topics: with ``eqiad`` a topic is ``eqiad.TOPIC``."""
    group: str | None = None
    """The consumer group; None uses ``dispatcher-`` and the rules' names."""
    retry_topic: str | None = None
    """None: the topic ``GROUP.retry``, after the first of ``datacentres``; ``none`` retries in the process only."""
    refusal_limit: int | None = DEFAULT_REFUSAL_LIMIT
    """Stop when this many requests in a row were given up; None for never."""
    skips: Path | None = None
    """The file for revisions that the server skipped, for a reconciliation; None for no file."""
    metrics_port: int | None = None
    """The port for Prometheus metrics, 0 for a free port; None serves none."""

    def __post_init__(self) -> None:
        for name, value in (
            ("concurrency", self.concurrency),
            ("limit", self.limit),
            ("refusal_limit", self.refusal_limit),
        ):
            if value is not None and value < 1:
                raise SettingsError(f"{name}: expected a number of at least 1, or nothing")
        kind, _, file = self.source.partition(":")
        for name, path in (("dead_letters", self.dead_letters), ("skips", self.skips)):
            if kind == "jsonl" and path is not None and is_same_file(path, file):
                raise SettingsError(f"{name}: must be another file than the one that is read")
        if self.since is not None and self.since.tzinfo is None:
            raise SettingsError("since: expected a time with its zone, such as 2026-11-21T08:00:00Z")

    @property
    def resumes(self) -> bool:
        """Whether another run continues from this run's last commit."""
        return self.source.startswith("kafka:") or self.checkpoint is not None
