"""What one run of the dispatcher needs to know."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from revertrisk.dispatcher.rule_language.rule import RetrySchedule
from revertrisk.runtime.headers import user_agent

DEFAULT_USER_AGENT = user_agent("revertrisk-dispatcher")
DEFAULT_REFUSAL_LIMIT = 1000
IN_PROCESS = "none"
"""The retry topic's name where there is to be none."""


class SettingsError(Exception):
    """A setting cannot work; the text names it and says what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchSettings:
    """One run: where events come from, what is made of them, and where to."""

    source: str
    """``jsonl:FILE``, ``jsonl:-``, ``kafka:TOPIC[,TOPIC]`` or ``eventstreams:URL``."""
    rule_file: Path
    any_topic: bool = False
    """Take events whatever topic or stream they came from, not only of each rule's own."""
    target: str | None = None
    """The base address that ``{{globals.target}}`` stands for."""
    dead_letters: Path | str = Path("dead-letters.jsonl")
    """A file, or ``kafka:TOPIC``."""
    concurrency: int | None = None
    """Requests under way for each rule; None leaves it to the rule."""
    limit: int | None = None
    """Stop after so many records; None reads to the end."""
    retries: RetrySchedule | None = None
    """None: quick ones where a retry holds its slot; on Kafka the rules' own, spent in the retry topic."""
    grace_s: float = 30.0
    """How long a shutdown waits for requests under way."""
    user_agent: str = DEFAULT_USER_AGENT
    checkpoint: Path | None = None
    """A SQLite file from which JSONL and EventStreams continue where they were."""
    since: datetime | None = None
    """Where to begin when nothing has been committed; None for what comes from now on."""
    from_start: bool = False
    """Begin with the oldest event of a topic when nothing has been committed."""
    to_end: bool = False
    """End when every partition of the topics has been read to its end."""
    kafka: tuple[str, ...] = field(default=(), repr=False)
    """librdkafka's settings as ``key=value``; ``bootstrap.servers`` is needed."""
    datacentres: tuple[str, ...] = ()
    """Prefixes of the topics: ``eqiad`` makes ``eqiad.TOPIC`` of each."""
    group: str | None = None
    """The consumer group; None makes a name of the rules' names."""
    retry_topic: str | None = None
    """None makes a name of the group; ``none`` for retries in the process only."""
    refusal_limit: int | None = DEFAULT_REFUSAL_LIMIT
    """Stop when so many requests in a row were given up; None for never."""
    skips: Path | None = None
    """Note there which revisions the server skipped, for a reconciliation; None for not at all."""
    metrics_port: int | None = None
    """Serve Prometheus metrics there, 0 for a free port; None for not at all."""

    def __post_init__(self) -> None:
        for name, value in (
            ("concurrency", self.concurrency),
            ("limit", self.limit),
            ("refusal_limit", self.refusal_limit),
        ):
            if value is not None and value < 1:
                raise SettingsError(f"{name}: expected a number of at least 1, or nothing")
        if self.since is not None and self.since.tzinfo is None:
            raise SettingsError("since: expected a time with its zone, such as 2026-11-21T08:00:00Z")

    @property
    def resumes(self) -> bool:
        """Whether another run continues where this one was committed."""
        return self.source.startswith("kafka:") or self.checkpoint is not None
