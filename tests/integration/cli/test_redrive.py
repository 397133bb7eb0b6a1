"""``revertrisk redrive`` as its operator runs it."""

import json
import subprocess
import sys
from pathlib import Path

RULE = """
rules:
  - name: model
    topic: mediawiki.page_change.v1
    match: {wiki_id: dewiki}
    exec: {method: post, uri: '{{globals.target}}/p', body: {event: '{{message}}'}}
"""


def test_a_dry_run_does_not_wait_for_the_rate(tmp_path: Path) -> None:
    """Nothing is sent, so three letters at one an hour are told of at once; no place is remembered."""
    letters, rule = tmp_path / "dead.jsonl", tmp_path / "rule.yaml"
    rule.write_text(RULE)
    event = {"meta": {"stream": "mediawiki.page_change.v1"}, "wiki_id": "dewiki"}
    letter = json.dumps({"reason": "timeout", "rule": "model", "event": event})
    letters.write_text(f"{letter}\n" * 3)
    command = [sys.executable, "-m", "revertrisk.cli.app", "redrive", "--rule", rule]
    ended = subprocess.run(
        [*command, "--source", f"dead-letters:{letters}", "--rate", str(1 / 3600), "--dry-run"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    assert [line.partition(": ")[2] for line in ended.stdout.splitlines()] == ["model takes it"] * 3
    assert sorted(tmp_path.iterdir()) == [letters, rule]
