from prometheus_client import CollectorRegistry

from revertrisk.dispatcher import Ending, Outcome
from revertrisk.dispatcher.metrics import DispatcherMetrics
from revertrisk.streams import Position

AT = Position("p", 1)


def test_every_outcome_counts_once_by_rule_and_outcome() -> None:
    """Dead letters and retries are counted beside it, and an event that no rule takes has the rule none."""
    registry = CollectorRegistry()
    metrics = DispatcherMetrics(registry, "kafka")
    metrics.note_outcome(Outcome(Ending.PRODUCED, AT, rule="r", attempts=3))
    metrics.note_outcome(Outcome(Ending.GIVEN_UP, AT, "status_400", rule="r", attempts=1))
    metrics.note_outcome(Outcome(Ending.UNMATCHED, AT, "wiki_id"))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("dispatcher_events_total", rule="r", outcome="produced") == 1
    assert value("dispatcher_events_total", rule="r", outcome="given_up:status_400") == 1
    assert value("dispatcher_events_total", rule="none", outcome="unmatched:wiki_id") == 1
    assert value("dispatcher_dead_letters_total", rule="r") == 1
    assert value("dispatcher_retries_total", rule="r") == 2


def test_lag_is_the_age_of_the_event_finished_last() -> None:
    """By meta.dt; an event without one says nothing."""
    registry = CollectorRegistry()
    metrics = DispatcherMetrics(registry, "kafka")
    metrics.note_outcome(Outcome(Ending.PRODUCED, AT, rule="r", event={"meta": {}}))
    assert registry.get_sample_value("dispatcher_lag_seconds", {"source": "kafka"}) == 0
    metrics.note_outcome(
        Outcome(Ending.PRODUCED, AT, rule="r", event={"meta": {"dt": "2020-01-01T00:00:00Z"}})
    )
    lag = registry.get_sample_value("dispatcher_lag_seconds", {"source": "kafka"})
    assert lag is not None
    assert lag > 1e8


def test_the_lag_of_a_partition_that_another_member_reads_is_forgotten() -> None:
    """A request that ends later says nothing either, until the partition comes back."""
    registry = CollectorRegistry()
    metrics = DispatcherMetrics(registry, "kafka")

    def lag() -> float | None:
        return registry.get_sample_value("dispatcher_lag_seconds", {"source": "kafka"})

    late = Outcome(Ending.PRODUCED, AT, rule="r", event={"meta": {"dt": "2020-01-01T00:00:00Z"}})
    metrics.note_assigned([AT.partition])
    metrics.note_outcome(late)
    metrics.note_released([AT.partition])
    assert lag() == 0
    metrics.note_outcome(late)
    assert lag() == 0
    metrics.note_assigned([AT.partition])
    metrics.note_outcome(late)
    assert lag()


def test_trouble_with_sources_is_counted() -> None:
    """Resets by topic, and reconnects."""
    registry = CollectorRegistry()
    metrics = DispatcherMetrics(registry, "eventstreams")
    metrics.note_offset_reset("t")
    metrics.note_reconnect()
    assert registry.get_sample_value("dispatcher_offset_resets_total", {"topic": "t"}) == 1
    assert registry.get_sample_value("dispatcher_reconnects_total", {"source": "eventstreams"}) == 1
