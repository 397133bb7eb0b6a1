"""Surges on the page, from the state of a watch."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from revertrisk.alerts.bank import model_as_json
from revertrisk.alerts.history import EDITS
from revertrisk.alerts.incidents import ALL_WIKIS, Incident, Series
from revertrisk.alerts.series_fit import fit_series
from revertrisk.alerts.store import Store
from revertrisk.dashboard.surges import Surges, SurgesError

MINUTE = 29_500_000


def at(minute: int) -> datetime:
    return datetime.fromtimestamp((MINUTE + minute) * 60, UTC)


def noted(path: Path, *incidents: Incident) -> Path:
    with Store(str(path)) as store:
        for incident in incidents:
            store.note_incident(incident.as_state())
        store.commit()
    return path


def test_what_the_watch_notes_is_told(tmp_path: Path) -> None:
    """Open surges are told to who looks at their wiki or at all; past ones belong to their time."""
    past = Incident("1", "enwiki", "edits", MINUTE, MINUTE + 2, observed=90, expected=30, ended=MINUTE + 20)
    now = Incident(
        "2", "enwiki", "high_risk", MINUTE + 60, MINUTE + 63, is_provisional=True, observed=9, expected=2
    )
    silent = Incident("3", ALL_WIKIS, "stream", MINUTE + 70, MINUTE + 75)
    path = tmp_path / "surge.sqlite"
    surges = Surges(noted(path, past))
    assert (surges.refresh(), surges.refresh()) == (True, False)
    assert surges.open(None) == []
    noted(path, now, silent)
    assert surges.refresh()
    assert [each.series for each in surges.open("enwiki")] == ["high_risk", "stream"]
    assert [each.series for each in surges.open("svwiki")] == ["stream"]
    assert [each.series for each in surges.between("enwiki", at(0), at(30))] == ["edits"]
    assert [each.series for each in surges.between(None, at(25), at(65))] == ["high_risk"]
    assert surges.open("enwiki")[0].as_json() == {
        "scope": "enwiki",
        "series": "high_risk",
        "since": at(60).timestamp(),
        "ended": None,
        "ratio": 4.5,
        "provisional": True,
    }
    assert surges.open("enwiki")[1].ratio is None


def test_it_is_read_while_the_watch_writes(tmp_path: Path) -> None:
    """An open transaction of the watch holds nobody up; what it has not committed is not told."""
    path = tmp_path / "surge.sqlite"
    with Store(str(path)) as store:
        store.note_incident(Incident("1", "enwiki", "edits", MINUTE, MINUTE).as_state())
        store.commit()
        store.note_incident(Incident("2", "enwiki", "share", MINUTE, MINUTE).as_state())
        surges = Surges(path)
        surges.refresh()
        assert [each.series for each in surges.open(None)] == ["edits"]


def test_what_is_usual_is_what_the_watch_expects(tmp_path: Path) -> None:
    """The mean is the baseline at the level of now, and nine of ten later bins are inside of the band."""
    days, path = 28, tmp_path / "surge.sqlite"
    chance = np.random.default_rng(5)
    first = MINUTE - MINUTE % 1440
    hours = np.arange((days + 1) * 1440) / 60
    counts = chance.poisson(6 + 3 * np.sin(hours / 24 * 2 * np.pi))
    with Store(str(path)) as store:
        for minute, count in enumerate(counts[: days * 1440]):
            store.history.add("enwiki", EDITS, first + minute, int(count))
        end = first + days * 1440
        watched = fit_series(store, "enwiki", ["enwiki"], Series.EDITS, begun=first, end=end, known=None)
        assert watched is not None
        store.note_series("enwiki", "edits", model_as_json(watched.model), watched.state)
        store.commit()
    begin = datetime.fromtimestamp((first + days * 1440) * 60, UTC)
    usual = np.array(Surges(path).usual("enwiki", begin, 15, 96))
    seen = counts[days * 1440 :].reshape(96, 15).mean(axis=1)
    assert np.corrcoef(usual[:, 1], seen)[0, 1] > 0.9
    assert abs(usual[:, 1].mean() - 6) < 0.3
    assert ((usual[:, 0] <= seen) & (seen <= usual[:, 2])).mean() > 0.9
    assert Surges(path).usual("svwiki", begin, 15, 96) == Surges(path).usual(None, begin, 15, 96) == []


def test_without_a_watch_there_is_none() -> None:
    """Nothing is told, and nothing changes."""
    surges = Surges(None)
    assert not surges.refresh()
    assert surges.open(None) == []


@pytest.mark.parametrize("content", [None, b"no database at all, but some text that is long enough"])
def test_another_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """The reason names the file."""
    path = tmp_path / "other.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SurgesError, match=r"surges: .*other\.sqlite: "):
        Surges(path).refresh()
