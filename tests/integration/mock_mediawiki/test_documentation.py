"""docs/mock-mediawiki.md says what the mock does, and its examples show what the mock answers."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from mock_mediawiki.api import ActionApi
from mock_mediawiki.app import create_app
from mock_mediawiki.faults import KINDS, RequestFault, RevisionFault, WikiFault
from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.table import WikiTable
from tests.fakes.installed import installed
from tests.fakes.loopback import serving

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs/mock-mediawiki.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8193"
EXAMPLES = [
    example
    for block in re.findall(r"^```console\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    for example in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Return the address of a mock with the sample pages."""
    wikis = WikiTable.load()
    with serving(create_app(ActionApi(SampleHistory.shipped(wikis)), wikis, "enwiki")) as url:
        yield url


def test_the_examples_answer_as_they_are_printed(address: str) -> None:
    """Every command is run, in the document's order, against one mock."""
    installed("curl", "as root: apt-get install -y curl")
    assert len(EXAMPLES) > 8
    for command, printed in EXAMPLES:
        done = subprocess.run(
            ["bash", "-c", command.replace(ADDRESS, address)],  # noqa: S607 - a shell is what the document assumes
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.rstrip("\n") == printed.rstrip("\n"), command


def test_every_route_is_documented() -> None:
    """Each path of the application stands in the table, its parts in angle brackets."""
    wikis = WikiTable.load()
    app = create_app(ActionApi(SampleHistory.shipped(wikis)), wikis, "enwiki")
    for resource in app.router.resources():
        path = resource.canonical.replace("{", "<").replace("}", ">")
        assert path in DOCUMENT


def test_every_fault_and_each_of_its_fields_is_documented() -> None:
    """One row for each kind, with the fields that only it has; what all have stands above."""
    for name in WikiFault.model_fields.keys() - {"kind"}:
        assert re.search(rf"^\| .*`{name}`.* \|", DOCUMENT, re.MULTILINE)
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*)$", DOCUMENT, re.MULTILINE))
    assert set(KINDS) <= rows.keys()
    for fault in (*get_args(RequestFault), *get_args(RevisionFault)):
        (kind,) = get_args(fault.model_fields["kind"].annotation)
        for name in fault.model_fields.keys() - WikiFault.model_fields.keys() - {"kind"}:
            assert f"`{name}`" in rows[kind]
