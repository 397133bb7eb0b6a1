"""Streams of edits by the minute: wikis with their daily rhythm, surges, silences, predictions; cheap to make."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import numpy as np

MINUTES_PER_DAY: Final = 1440
MODEL: Final = "revertrisk-language-agnostic"

Shape = Callable[[int], float]
"""Times the usual, by the minute of Unix time."""


def steady(_: int) -> float:
    return 1.0


@dataclass(frozen=True, slots=True)
class Stream:
    """What a stream is made of."""

    begin: int
    """The first minute of Unix time."""
    minutes: int
    rates: Mapping[str, float]
    """Edits a minute of each wiki."""
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    """Of the wikis on which something happens."""
    alpha: float = 0.0
    seed: int = 1
    disorder_s: float = 0.0
    """Events come in an order that is wrong by up to so much."""
    predicted: float = 0.0
    """The part of the edits that is scored."""
    risky: Callable[[int], float] = lambda _: 0.05
    """The part of the predictions that is high-risk, by the minute."""
    version: Callable[[int], str] = lambda _: "3"
    canaries: bool = True

    def events(self) -> Iterator[bytes]:
        """Yield the events as JSON, in the order in which they come."""
        rng = np.random.default_rng(self.seed)
        number = 0
        waiting: list[tuple[float, bytes]] = []
        for minute in range(self.begin, self.begin + self.minutes):
            hour = 1 + 0.3 * np.sin(2 * np.pi * minute / MINUTES_PER_DAY)
            for wiki, rate in self.rates.items():
                mean = rate * hour * self.shapes.get(wiki, steady)(minute)
                if self.alpha:
                    mean *= rng.gamma(1 / self.alpha, self.alpha)
                for at in minute * 60 + np.sort(rng.uniform(0, 60, rng.poisson(mean))):
                    number += 1
                    page = int(rng.integers(1, 200))
                    due = at + rng.uniform(0, self.disorder_s)
                    waiting.append((due, page_change(wiki, at, number, page)))
                    if self.predicted and rng.random() < self.predicted:
                        risky = rng.random() < self.risky(minute)
                        version = self.version(minute)
                        waiting.append(
                            (
                                due + 0.5,
                                prediction(wiki, at + 0.5, number, page, 0.95 if risky else 0.2, version),
                            )
                        )
            if self.canaries:
                waiting.append((minute * 60 + 30.0, canary(minute * 60 + 30.0, number)))
            waiting.sort(key=lambda each: each[0])
            until = (minute + 1) * 60
            ready = [each for each in waiting if each[0] < until]
            del waiting[: len(ready)]
            yield from (line for _, line in ready)
        yield from (line for _, line in waiting)


def instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def page_change(wiki: str, at: float, number: int, page: int, kind: str = "edit") -> bytes:
    """Return a page_change event with what is read of it."""
    return (
        f'{{"$schema":"/mediawiki/page/change/1.2.0","meta":{{"stream":"mediawiki.page_change.v1",'
        f'"id":"{wiki}-{number}-{at:.3f}","domain":"x","dt":"{instant(at)}"}},"page_change_kind":"{kind}",'
        f'"wiki_id":"{wiki}","page":{{"page_id":{page},"page_title":"Page_{page}","namespace_id":0}},'
        '"performer":{"user_text":"Somebody"}}'
    ).encode()


def prediction(wiki: str, at: float, number: int, page: int, probability: float, version: str) -> bytes:
    """Return a prediction event with what is read of it."""
    return (
        '{"$schema":"/mediawiki/page/prediction_classification_change/1.3.0","meta":{"stream":'
        f'"mediawiki.page_revert_risk_prediction_change.v1","id":"p-{wiki}-{number}-{at:.3f}","domain":"x",'
        f'"dt":"{instant(at)}"}},"page_change_kind":"edit","wiki_id":"{wiki}","page":{{"page_id":{page},'
        f'"page_title":"Page_{page}","namespace_id":0}},"predicted_classification":{{"model_name":"{MODEL}",'
        f'"model_version":"{version}","probabilities":{{"true":{probability}}}}}}}'
    ).encode()


def canary(at: float, number: int) -> bytes:
    """Return a canary event."""
    return (
        f'{{"meta":{{"stream":"mediawiki.page_change.v1","id":"c-{number}-{at:.0f}","domain":"canary",'
        f'"dt":"{instant(at)}"}}}}'
    ).encode()
