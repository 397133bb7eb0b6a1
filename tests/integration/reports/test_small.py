"""Lakes with very few edits: every report works and says that there are too few."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from revertrisk.cli.app import app
from tests.fakes.outcome_lake import edits, events_of, list_bots, new_lake


@pytest.mark.parametrize("number", [1, 12])
def test_a_few_edits(tmp_path: Path, number: int) -> None:
    """There are no figures, no plots without figures, and no tracebacks."""
    lake = new_lake(tmp_path, events_of(edits(number, days=2, wikis=("enwiki",))))
    list_bots(lake, ("enwiki",))
    for command in (
        ("outcomes",),
        ("outcomes", "--matured"),
        ("bots",),
        ("whatif", "--wiki", "enwiki", "--automoderator-rules"),
        ("whatif", "--wiki", "enwiki", "--review", "5", "--sheet", str(tmp_path / "sheet.csv")),
        ("whatif", "--wiki", "enwiki", "--judged", str(tmp_path / "sheet.csv")),
    ):
        page = tmp_path / "page.html"
        result = CliRunner().invoke(app, [*command, "--lake", lake.root, "--html", str(page)])
        assert result.exit_code == 0, (command, result.output, result.exception)
    result = CliRunner().invoke(
        app, ["whatif", "--lake", lake.root, "--wiki", "enwiki", "--share", "0.5", "--a-day", "1"]
    )
    assert result.exit_code == 1, result.output
    assert result.stdout.count("none: ") == 2
