import asyncio
import logging
from pathlib import Path

import orjson
import pytest

from revertrisk.dispatcher import progress
from revertrisk.dispatcher.app import DispatchSettings, dispatch
from revertrisk.dispatcher.rule_language.rule import RetrySchedule
from tests.fakes.loopback import held_port

RULE = """
rules:
  - name: every
    topic: mediawiki.page_change.v1
    exec: {method: post, uri: "{{globals.target}}/score", body: "{{globals.message}}"}
"""


async def test_a_target_that_is_away_is_told_regularly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """T4: while no request succeeds, a line tells how many wait, and why."""
    monkeypatch.setattr(progress, "FIRST_S", 0.01)
    caplog.set_level(logging.INFO, logger=progress.__name__)
    meta = {"stream": "mediawiki.page_change.v1", "domain": "en.wikipedia.org"}
    (tmp_path / "events.jsonl").write_bytes(orjson.dumps({"meta": meta}) + b"\n")
    (tmp_path / "rule.yaml").write_text(RULE)
    stop = asyncio.Event()
    with held_port() as port:
        settings = DispatchSettings(
            source=f"jsonl:{tmp_path}/events.jsonl",
            rule_file=tmp_path / "rule.yaml",
            target=f"http://127.0.0.1:{port}",
            dead_letters=tmp_path / "dead.jsonl",
            retries=RetrySchedule(limit=1, delay_s=60.0, factor=1.0),
            grace_s=0.0,
        )
        running = asyncio.create_task(dispatch(settings, stop=stop))
        while "waiting for another try: 1 after" not in caplog.text:
            assert not running.done()
            await asyncio.sleep(0.01)
        stop.set()
        await running
    assert "1 events read, 0 outcomes, 1 under way, waiting" in caplog.text
