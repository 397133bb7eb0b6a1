"""When faults strike, with the gate's as an example."""

from typing import Any

import pytest

from mock_eventgate.faults import GateFault, Kind, fault_reader
from revertrisk.mock_server.faults import FaultBoard, FaultError

READER = fault_reader({"a", "b"})


def board_with(*documents: dict[str, Any]) -> FaultBoard[GateFault]:
    """Return a board with these faults in force."""
    board = FaultBoard[GateFault]()
    board.replace(READER.read(list(documents)))
    return board


def strikes(document: dict[str, Any], requests: int, streams: tuple[str | None, ...] = ("a",)) -> list[bool]:
    """Return for each of some requests whether a fault strikes it."""
    board = board_with(document)
    return [board.select(lambda fault: fault.concerns(streams)) is not None for _ in range(requests)]


def test_next_strikes_so_many_and_is_gone() -> None:
    """``next`` strikes that many requests, then the fault is no longer in force."""
    board = board_with({"kind": "hang", "next": 2})
    struck = [board.select(lambda _: True) for _ in range(4)]
    assert [fault and fault.kind for fault in struck] == [Kind.HANG, Kind.HANG, None, None]
    assert (board.as_json(), board.counts()) == ([], {"hang": 2})


def test_rate_is_a_share_that_repeats() -> None:
    """``rate`` strikes about that share of the requests, the same ones in each run; a seed makes others."""
    first = strikes({"kind": "hang", "rate": 0.3}, 1000)
    assert 250 < sum(first) < 350
    assert strikes({"kind": "hang", "rate": 0.3}, 1000) == first
    assert strikes({"kind": "hang", "rate": 0.3, "seed": 1}, 1000) != first


@pytest.mark.parametrize(("fault", "struck"), [({"rate": 0.0}, False), ({"rate": 1.0}, True), ({}, True)])
def test_extreme_rates(fault: dict[str, Any], struck: bool) -> None:
    """A rate of 0 never strikes, a rate of 1, or none, always."""
    assert strikes({"kind": "hang", **fault}, 100) == [struck] * 100


def test_the_first_that_fires_wins() -> None:
    """Of several faults the first in order strikes; the others are not used up by it."""
    board = board_with({"kind": "hang", "next": 1}, {"kind": "reset", "next": 1})
    struck = [board.select(lambda _: True) for _ in range(3)]
    assert [fault and fault.kind for fault in struck] == [Kind.HANG, Kind.RESET, None]


def test_stream() -> None:
    """A fault for a stream strikes requests with an event of it, and counts no others."""
    fault = {"kind": "hang", "next": 1, "stream": "b"}
    assert strikes(fault, 1, ("a", None)) == [False]
    assert strikes(fault, 1, ("a", "b")) == [True]


def test_partial_needs_several_events() -> None:
    """A single event cannot be accepted in part, so it passes."""
    assert strikes({"kind": "partial", "next": 1}, 1) == [False]
    assert strikes({"kind": "partial", "next": 1}, 1, ("a", "a")) == [True]


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"kind": "status"}, "status: expected with the kind status, and with no other"),
        ({"kind": "status", "status": 199}, "status: expected at least 200"),
        ({"kind": "hang", "status": 503}, "status: expected with the kind status, and with no other"),
        ({"kind": "delay"}, "seconds: expected with the kind delay, and with no other"),
        ({"kind": "hang", "rates": 1}, "rates: is not known"),
        ({"kind": "hang", "rate": None}, "rate: expected a number"),
        ({"kind": ["hang"]}, "kind: expected one of status, delay, hang, accept_then_hang, "),
        ({"kind": "hang", "stream": "no.such"}, "stream: expected the name of a configured stream"),
    ],
)
def test_a_fault_of_the_gate_that_makes_no_sense_is_refused(document: Any, complaint: str) -> None:
    """The error begins with the field, wherever the fault stands."""
    with pytest.raises(FaultError) as caught:
        READER.read([{"kind": "hang"}, document])
    assert str(caught.value).startswith(f"[1].{complaint}")
