"""A lake of edits with known outcomes, created once. Tests that change it take a copy."""

import shutil
from pathlib import Path

import pytest

from revertrisk.lake.open_or_create import open_lake_with_key
from revertrisk.lake.tables import Lake
from tests.fakes.outcome_lake import Made, edits, events_of, list_bots, new_lake

DAY = 86_400.0
UNTIL = 40 * DAY


@pytest.fixture(scope="session")
def made() -> list[Made]:
    return edits(2600)


@pytest.fixture(scope="session")
def lake(made: list[Made], tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """40 days of two wikis, scored by both models."""
    lake = new_lake(tmp_path_factory.mktemp("outcomes"), events_of(made, until_s=UNTIL))
    list_bots(lake)
    return lake


@pytest.fixture
def copied(lake: Lake, tmp_path: Path) -> Lake:
    """A lake like it that a test may write to."""
    shutil.copytree(lake.root, tmp_path / "lake")
    shutil.copy(Path(lake.root).parent / "key", tmp_path / "key")
    return open_lake_with_key(str(tmp_path / "lake"), str(tmp_path / "key"))
