"""The revision cache is bounded in bytes and in age, and keeps nothing that is hidden."""

from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from model_server.api_facts import RevisionFacts
from model_server.metrics import Metrics
from model_server.revision_cache import MAX_AGE_SECONDS, RevisionCache

FACTS = RevisionFacts(
    rev_id=1,
    parent_id=0,
    page_id=1,
    title="A",
    namespace_id=0,
    is_redirect=False,
    timestamp="2026-01-01T00:00:00Z",
    saved_at=datetime(2026, 1, 1, tzinfo=UTC),
    is_minor=False,
    size=10_000,
    content_model="wikitext",
    text="x" * 10_000,
    comment="",
    user_text="A",
    user_id=1,
    is_temp=False,
    tags=frozenset(),
    hidden_text=False,
    hidden_user=False,
    hidden_comment=False,
)


class ManualClock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Kept:
    """A cache with its clock and its metrics."""

    def __init__(self, max_bytes: int) -> None:
        self.clock = ManualClock()
        self._registry = CollectorRegistry()
        lookups = Metrics(self._registry).revision_cache
        self.cache = RevisionCache(max_bytes, lookups, clock=self.clock)

    def get(self, wiki_id: str, rev_id: int) -> RevisionFacts | None:
        return self.cache.find(wiki_id, (rev_id,)).get(rev_id)

    def looked_up(self, result: str) -> float | None:
        return self._registry.get_sample_value("revertrisk_revision_cache_lookups_total", {"result": result})


def revision(rev_id: int) -> RevisionFacts:
    return FACTS._replace(rev_id=rev_id)


def test_what_was_told_lately_is_found_and_counted() -> None:
    """The parent of an edit is often the edit before it; another wiki's revision of that id is another one."""
    kept = Kept(100_000)
    kept.cache.put("enwiki", revision(1))
    assert kept.get("enwiki", 1) == revision(1)
    assert kept.get("dewiki", 1) is None
    assert (kept.looked_up("hit"), kept.looked_up("miss")) == (1, 1)


def test_several_are_looked_up_at_once() -> None:
    """An edit and its parent: each is a hit or a miss."""
    kept = Kept(100_000)
    kept.cache.put("enwiki", revision(1))
    assert kept.cache.find("enwiki", (1, 2, 3)) == {1: revision(1)}
    assert (kept.looked_up("hit"), kept.looked_up("miss")) == (1, 2)


def test_what_was_told_five_minutes_ago_is_not() -> None:
    """What a wiki hides is hidden here too, within five minutes; being read does not make it younger."""
    kept = Kept(100_000)
    kept.cache.put("enwiki", revision(1))
    kept.clock.now = MAX_AGE_SECONDS
    assert kept.get("enwiki", 1) is not None
    kept.clock.now = MAX_AGE_SECONDS + 0.1
    assert kept.get("enwiki", 1) is None


def test_the_bytes_are_bounded_and_the_least_used_go_first() -> None:
    """A thousand revisions take no more memory than a few."""
    kept = Kept(35_000)
    for rev_id in range(1, 1000):
        kept.cache.put("enwiki", revision(rev_id))
        kept.get("enwiki", 1)
    found = [rev_id for rev_id in range(1, 1000) if kept.get("enwiki", rev_id) is not None]
    assert found == [1, 998, 999]


def test_the_same_revision_again_takes_its_own_place() -> None:
    """Told twice it is kept once."""
    kept = Kept(35_000)
    for _ in range(10):
        kept.cache.put("enwiki", revision(1))
    kept.cache.put("enwiki", revision(2))
    kept.cache.put("enwiki", revision(3))
    assert all(kept.get("enwiki", rev_id) is not None for rev_id in (1, 2, 3))


@pytest.mark.parametrize("hidden", ["hidden_text", "hidden_user", "hidden_comment"])
def test_what_is_hidden_is_not_kept_and_takes_what_was_known_along(hidden: str) -> None:
    """Once the API hides something, nothing older is told any more."""
    kept = Kept(100_000)
    kept.cache.put("enwiki", revision(1))
    kept.cache.put("enwiki", revision(1)._replace(**{hidden: True}))
    assert kept.get("enwiki", 1) is None


@pytest.mark.parametrize("max_bytes", [0, 5_000])
def test_what_does_not_fit_is_not_kept(max_bytes: int) -> None:
    """Without room there is no cache, and one page of two megabytes does not drop all others."""
    kept = Kept(max_bytes)
    kept.cache.put("enwiki", revision(1))
    assert kept.get("enwiki", 1) is None
