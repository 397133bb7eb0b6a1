"""The demo's tally must notice what is lost: its verdict is worth nothing otherwise."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from revertrisk.cli.demo.screen import Screen
from revertrisk.cli.demo.tally import Arrival, Tally
from revertrisk.dispatcher.outcome import Ending, Outcome
from revertrisk.streams.base import Position

MODEL = "revertrisk-language-agnostic"


def outcome(rev_id: int, ending: Ending = Ending.PRODUCED, attempts: int = 1) -> Outcome:
    event = {"wiki_id": "enwiki", "revision": {"rev_id": rev_id}, "page_change_kind": "edit"}
    return Outcome(ending, Position("file", rev_id), rule=MODEL, attempts=attempts, event=event)


def prediction(rev_id: int, dt: str = "2026-10-01T00:00:00Z", risk: float = 0.5) -> dict[str, Any]:
    return {
        "meta": {"id": "one", "dt": dt},
        "wiki_id": "enwiki",
        "revision": {"rev_id": rev_id},
        "page_change_kind": "edit",
        "predicted_classification": {"model_name": MODEL, "probabilities": {"true": risk}},
    }


def verdict(tally: Tally, refused: int = 0, unfinished: int = 0) -> list[str]:
    out = StringIO()
    screen = Screen(Console(file=out, width=120), [MODEL])
    screen.close_chaos(tally, {"MediaWiki": 2, "EventGate": 1}, refused=refused, unfinished=unfinished)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("ending", [Ending.PRODUCED, Ending.GIVEN_UP])
def test_what_is_not_on_the_stream_is_lost(ending: Ending) -> None:
    """Whether the server said that it had produced it or the dispatcher gave it up."""
    tally = Tally()
    tally.note_outcome(outcome(1))
    tally.note_outcome(outcome(2, ending))
    tally.note_accepted(prediction(1))
    assert (tally.due, tally.arrived) == (2, 1)
    assert tally.lost == [(MODEL, "enwiki", 2, "edit")]
    assert verdict(tally)[-2:] == [
        "2 predictions expected, 1 on the stream: 1 lost.",
        f"  lost: enwiki 2 (edit, {MODEL})",
    ]


def test_what_is_skipped_is_not_due() -> None:
    """A skip has a reason, and no prediction."""
    tally = Tally()
    tally.note_outcome(outcome(1, Ending.SKIPPED))
    assert (tally.due, tally.lost) == (0, [])


def test_copies_are_told_apart_by_everything_but_the_time_of_receipt() -> None:
    """The gate stamps each copy with its own ``meta.dt``; anything else that differs is told."""
    tally = Tally()
    assert tally.note_accepted(prediction(1)) is Arrival.FIRST
    assert tally.note_accepted(prediction(1, dt="2026-10-01T00:00:09Z")) is Arrival.REPEATED
    assert tally.note_accepted(prediction(1, risk=0.6)) is Arrival.DIFFERING
    assert (tally.repeated, tally.differing) == (1, 1)


def test_the_verdict_says_what_happened_in_plain_words() -> None:
    """Faults, retries, duplicates, and that nothing is lost; or all that is wrong."""
    tally = Tally()
    tally.note_outcome(outcome(1, attempts=3))
    tally.note_accepted(prediction(1))
    tally.note_accepted(prediction(1))
    assert verdict(tally) == [
        "3 faults occurred: 2 at MediaWiki, 1 at EventGate.",
        (
            "1 events were sent more than once, with 2 retries in total; "
            "the servers handled the other faults without a retry of the dispatcher."
        ),
        "1 predictions arrived twice, each time identical: readers keep one.",
        "1 predictions expected, 1 on the stream: nothing lost.",
    ]
    tally.note_accepted(prediction(1, risk=0.6))
    assert verdict(tally, refused=1, unfinished=2)[-1] == (
        "1 predictions expected, 1 on the stream: 1 arrived twice and differ, 1 refused, 2 not finished."
    )
