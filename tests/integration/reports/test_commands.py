"""The report commands in one process: messages and exit status. The gauges are read over a socket."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import Result
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from revertrisk.cli.app import app
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.tables import Lake
from tests.fakes.outcome_lake import edits, events_of, new_lake


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_each_report_as_json_and_page(lake: Lake, tmp_path: Path) -> None:
    """JSON has every figure with interval, n and definition. The page has no script and loads nothing."""
    commands = {
        "outcomes": ("--model", "revertrisk-multilingual", "--horizon", "48h", "--threshold", "0.65"),
        "whatif": ("--wiki", "enwiki", "--a-day", "5"),
        "bots": ("--until", "2026-10-31"),
    }
    for command, flags in commands.items():
        page = tmp_path / f"{command}.html"
        result = run(command, "--lake", lake.root, *flags, "--json", "--html", page)
        assert result.exit_code == 0, result.output
        content = json.loads(result.stdout)
        figures = list(figures_in(content))
        assert len(figures) > 10
        for figure in figures:
            assert figure["measure"] in content["definitions"]
            assert isinstance(figure["n"], int)
            assert (figure["value"] is None) <= (figure["note"] is not None)
        assert any(figure["low"] is not None for figure in figures)
        text = page.read_text()
        assert "<script" not in text
        assert "An edit that was not reverted can still be bad" in text
        assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }
        assert text.count("<svg") >= 1


def figures_in(content: object) -> list[dict[str, object]]:
    """Return every figure of a report."""
    if isinstance(content, dict):
        own = [content] if "measure" in content and "low" in content and "note" in content else []
        return own + [each for value in content.values() for each in figures_in(value)]
    return [each for value in content for each in figures_in(value)] if isinstance(content, list) else []


def test_a_threshold_that_cannot_be_chosen(lake: Lake) -> None:
    """The exit status is 1, with the number of missing edits."""
    result = run("whatif", "--lake", lake.root, "--wiki", "enwiki", "--share", "0.98")
    assert result.exit_code == 1, result.output
    assert re.search(
        r"none: above 0\.\d+: too few \(n = \d+, \d+ reverted\); about \d+ more flagged edits", result.stdout
    )


def test_a_sheet_by_commands(lake: Lake, tmp_path: Path) -> None:
    """whatif --review writes the sheet, --judged reads it."""
    sheet = tmp_path / "sheet.csv"
    arguments = ("whatif", "--lake", lake.root, "--wiki", "enwiki")
    result = run(*arguments, "--review", "60", "--sheet", sheet)
    assert result.exit_code == 0, result.output
    assert "60 edits for people to judge" in result.stdout
    sheet.write_text(sheet.read_text().replace(",,\n", ",damaging,\n"))
    result = run(*arguments, "--judged", sheet)
    assert result.exit_code == 0, result.output
    assert "60 damaging, 0 good, 0 unsure, 0 not judged" in result.stdout
    assert "100.0 % (93" in result.stdout
    assert "Damaging by people, beside share reverted" in result.stdout


def test_a_filled_sheet_is_not_overwritten(lake: Lake, tmp_path: Path) -> None:
    """The exit status is 2 and nothing is written, unless --force is given."""
    sheet = tmp_path / "sheet.csv"
    arguments = ("whatif", "--lake", lake.root, "--wiki", "enwiki", "--review", "20", "--sheet", sheet)
    assert run(*arguments).exit_code == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    sheet.unlink()
    result = run(*arguments)
    assert result.exit_code == 2
    assert f"{sheet.with_suffix('.html')} exists; --force overwrites" in " ".join(result.output.split())
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == {
        path: content for path, content in before.items() if path != sheet
    }
    result = run(*arguments, "--force")
    assert result.exit_code == 0, result.output
    assert all(path.read_bytes() != content for path, content in before.items())


def test_a_target_that_the_later_days_do_not_keep(tmp_path: Path) -> None:
    """One edit in two days, then many: all are flagged, and the report says that the later days have more."""
    made = edits(400, days=30, wikis=("enwiki",))
    made = [each for each in made if each.undoes is None]
    few = [each for number, each in enumerate(made) if each.after_s > 19.5 * 86_400 or number % 9 == 0]
    lake = new_lake(tmp_path, events_of(few))
    result = run("whatif", "--lake", lake.root, "--wiki", "enwiki", "--a-day", "4")
    assert result.exit_code == 0, result.output
    assert "0.0000: flags every edit" in result.stdout
    assert re.search(r"\d+ later: target not kept", result.stdout)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (
            ("outcomes", "--wiki", "xxwiki"),
            2,
            "--wiki: the lake has no predictions of 'xxwiki'; it has: dewiki, enwiki",
        ),
        (("outcomes", "--model", "magic"), 2, "--model: the lake has no predictions of 'magic'"),
        (("outcomes", "--horizon", "2w"), 2, "--horizon: expected hours or days such as 48h or 7d, not '2w'"),
        (
            ("outcomes", "--since", "2026-11-30", "--until", "2026-11-01"),
            2,
            "--until: expected a day from --since (2026-11-30) on, not 2026-11-01",
        ),
        (("outcomes", "--since", "May"), 2, "--since: expected a day such as 2026-11-01, not 'May'"),
        (("outcomes", "--serve", "0", "--json"), 2, "--serve: cannot be used with --json or --html"),
        (("bots", "--wiki", "frwiki"), 2, "the lake lists no bots of these wikis"),
        (
            ("whatif", "--wiki", "enwiki", "--since", "2030-01-01"),
            2,
            "the lake has no page_change events of edits of enwiki in this period",
        ),
        (("whatif", "--wiki", "enwiki", "--judged", __file__), 2, "the key of the sheet cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said(lake: Lake, arguments: tuple[str, ...], status: int, words: str) -> None:
    """The exit status is 2 if a flag cannot be used, with a message and no traceback."""
    result = run(*arguments, "--lake", lake.root)
    assert (result.exit_code, words in result.output) == (status, True), result.output


def test_no_lake(tmp_path: Path) -> None:
    """The exit status is 78 if there is no lake, and 2 if it has no predictions."""
    assert run("outcomes", "--lake", tmp_path / "none").exit_code == 78
    empty = make_lake(str(tmp_path / "lake"), str(tmp_path / "key"))
    result = run("outcomes", "--lake", empty.root)
    assert result.exit_code == 2
    assert "the lake has no predictions of these wikis by these models" in result.output


def test_the_gauges(lake: Lake) -> None:
    """--serve gives Prometheus the same values as --json, and exits with 0 on SIGTERM."""
    flags = (
        "--lake",
        lake.root,
        "--horizon",
        "48h",
        "--threshold",
        "0.65",
        "--model",
        "revertrisk-multilingual",
    )
    (model,) = json.loads(run("outcomes", *flags, "--json").stdout)["models"]
    command = [sys.executable, "-m", "revertrisk.cli.app", "outcomes", *flags, "--serve", "0"]
    environment = os.environ | {"LOG_FORMAT": "ecs"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as program:
        assert program.stderr is not None
        found = re.search(r"metrics on port (\d+)", program.stderr.readline())
        assert found is not None
        with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/metrics") as answer:
            text = answer.read().decode()
        program.send_signal(signal.SIGTERM)
        assert program.wait() == 0
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    whole = model["cells"][0]
    at = whole["horizons"][0]["reverters"]["anyone"]["thresholds"][0]
    of = ("3", "48h", "all", "revertrisk-multilingual")
    at_threshold = tuple(sorted((*of, "0.65")))
    for name, value in (
        ("outcomes_share_reverted", at["share_reverted_flagged"]["value"]),
        ("outcomes_recall", at["recall"]["value"]),
        ("outcomes_flagged_not_reverted", at["flagged_not_reverted"]["value"]),
        ("outcomes_flagged_edits", at["flagged"]),
    ):
        assert samples[name, *at_threshold] == pytest.approx(value)
    assert samples["outcomes_auc", *of] == pytest.approx(whole["horizons"][0]["quality"]["auc"]["value"])
    assert ("outcomes_last_report_timestamp_seconds",) in samples
