import time

import pytest

from revertrisk.cli import steps


def test_a_long_step_is_shown_again(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """T4: each step is told on standard error when it begins, and again while it lasts."""
    monkeypatch.setattr(steps, "STILL_EVERY_S", 0.01)
    told = ""
    with steps.Steps() as shown:
        shown.begin("reading")
        while told.count("s  still reading\n") < 2:
            told += capfd.readouterr().err
            time.sleep(0.01)
        shown.begin("fitting")
    assert told.splitlines()[0].endswith(" s  reading")
    assert "s  fitting\n" in capfd.readouterr().err
