from typing import Any

import pytest

from mock_eventgate.faults import Fault, FaultError, Faults, Kind, read_fault, read_faults

STREAMS = {"a", "b"}


def strikes(fault: Fault, requests: int, streams: tuple[str | None, ...] = ("a",)) -> list[bool]:
    """Tell for each of some requests whether a fault strikes it."""
    faults = Faults()
    faults.add(fault)
    return [faults.strike(streams) is not None for _ in range(requests)]


def test_without_rate_and_next_every_request_is_struck() -> None:
    """A fault that says nothing about when strikes always."""
    assert strikes(read_fault({"kind": "hang"}, STREAMS), 3) == [True] * 3


def test_next_strikes_so_many_and_is_gone() -> None:
    """``next`` strikes that many requests, then the fault is no longer in force."""
    faults = Faults()
    faults.add(Fault(Kind.HANG, next=2))
    assert [faults.strike(["a"]) is not None for _ in range(4)] == [True, True, False, False]
    assert faults.as_json() == []


def test_rate_is_a_share_that_repeats() -> None:
    """``rate`` strikes about that share of the requests, the same ones in each run; a seed makes others."""
    first = strikes(Fault(Kind.HANG, rate=0.3), 1000)
    assert 250 < sum(first) < 350
    assert strikes(Fault(Kind.HANG, rate=0.3), 1000) == first
    assert strikes(Fault(Kind.HANG, rate=0.3, seed=1), 1000) != first


@pytest.mark.parametrize(("rate", "struck"), [(0.0, False), (1.0, True)])
def test_extreme_rates(rate: float, struck: bool) -> None:
    """A rate of 0 never strikes, a rate of 1 always."""
    assert strikes(Fault(Kind.HANG, rate=rate), 100) == [struck] * 100


def test_the_first_that_fires_wins() -> None:
    """Of several faults the first in order strikes; the others are not used up by it."""
    faults = Faults()
    faults.replace([Fault(Kind.HANG, next=1), Fault(Kind.RESET, next=1)])
    struck = [faults.strike(["a"]) for _ in range(3)]
    assert [fault and fault.kind for fault in struck] == [Kind.HANG, Kind.RESET, None]


def test_stream() -> None:
    """A fault for a stream strikes requests with an event of it, and counts no others."""
    fault = Fault(Kind.HANG, next=1, stream="b")
    assert strikes(fault, 1, ("a", None)) == [False]
    assert strikes(fault, 1, ("a", "b")) == [True]


def test_partial_needs_several_events() -> None:
    """A single event cannot be accepted in part, so it passes."""
    assert strikes(Fault(Kind.PARTIAL, next=1), 1) == [False]
    assert strikes(Fault(Kind.PARTIAL, next=1), 1, ("a", "a")) == [True]


def test_shown_as_asked_for() -> None:
    """The faults in force are shown with their fields, how often they fired, and what is left of them."""
    faults = Faults()
    documents = [
        {"kind": "partial", "next": 3, "stream": "a"},
        {"kind": "status", "status": 503, "rate": 0.5, "seed": 7},
        {"kind": "delay", "seconds": 1.5},
    ]
    faults.replace(read_faults(documents, STREAMS))
    faults.strike(["a", "a"])
    assert faults.as_json() == [
        {"kind": "partial", "stream": "a", "next": 2, "fired": 1},
        {"kind": "status", "status": 503, "rate": 0.5, "seed": 7, "fired": 0},
        {"kind": "delay", "seconds": 1.5, "rate": 1.0, "seed": 0, "fired": 0},
    ]


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (None, "body: expected an object"),
        ([], "body: expected an object"),
        ({}, "kind: expected one of status, delay, hang, accept_then_hang, reset, "),
        ({"kind": "explode"}, "kind: expected one of "),
        ({"kind": ["hang"]}, "kind: expected one of "),
        ({"kind": "status"}, "status: expected an integer from 200 to 599"),
        ({"kind": "status", "status": 199}, "status: expected an integer from 200 to 599"),
        ({"kind": "status", "status": 503.0}, "status: expected an integer from 200 to 599"),
        (
            {"kind": "hang", "status": 503},
            "status: not a field of hang; it has kind, next, rate, seed, stream",
        ),
        ({"kind": "hang", "rates": 1}, "rates: not a field of hang"),
        ({"kind": "delay"}, "seconds: expected a number from 0 to 3600"),
        ({"kind": "delay", "seconds": -1}, "seconds: expected a number from 0 to 3600"),
        ({"kind": "delay", "seconds": "1"}, "seconds: expected a number from 0 to 3600"),
        ({"kind": "hang", "rate": 1.1}, "rate: expected a number from 0 to 1"),
        ({"kind": "hang", "rate": True}, "rate: expected a number from 0 to 1"),
        ({"kind": "hang", "rate": None}, "rate: expected a number from 0 to 1"),
        ({"kind": "hang", "next": 0}, "next: expected an integer from 1 to "),
        ({"kind": "hang", "next": True}, "next: expected an integer from 1 to "),
        ({"kind": "hang", "next": 1, "rate": 1}, "next: expected either next, or rate and seed"),
        ({"kind": "hang", "seed": -1}, "seed: expected an integer from 0 to "),
        ({"kind": "hang", "stream": "no.such"}, "stream: expected the name of a configured stream"),
        ({"kind": "hang", "stream": ["a"]}, "stream: expected the name of a configured stream"),
    ],
)
def test_bad_document(document: Any, complaint: str) -> None:
    """A bad fault is refused with the field and what was expected there, wherever it stands."""
    with pytest.raises(FaultError) as caught:
        read_fault(document, STREAMS)
    assert str(caught.value).startswith(complaint)
    with pytest.raises(FaultError) as caught:
        read_faults([{"kind": "hang"}, document], STREAMS)
    assert str(caught.value).startswith(f"[1].{complaint}".replace("[1].body", "[1]"))


def test_bad_array() -> None:
    """Where several faults are expected, one is not enough."""
    with pytest.raises(FaultError, match="body: expected an array of faults"):
        read_faults({"kind": "hang"}, STREAMS)


def test_number_of_faults_is_bounded() -> None:
    """There is an end to how many faults can be in force."""
    faults = Faults()
    with pytest.raises(FaultError, match="body: expected at most 100 faults in all"):
        faults.replace([Fault(Kind.HANG)] * 101)
    faults.replace([Fault(Kind.HANG)] * 100)
    with pytest.raises(FaultError, match="body: expected at most 100 faults in all"):
        faults.add(Fault(Kind.HANG))
