"""What the event loop of a server works with is opened together, and closed together."""

import ssl
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from model_server.metrics import ServerMetrics
from model_server.resources import open_resources
from model_server.settings import Settings
from revertrisk.scoring.prediction import Prediction
from revertrisk.scoring.revision import Revision
from revertrisk.wiki.table import WikiTable


class NoModel:
    """Is never asked."""

    name, version = "none", "1"

    def supports(self, wiki_id: str) -> bool:
        raise AssertionError(wiki_id)

    def score(self, revisions: Sequence[Revision]) -> list[Prediction]:
        raise AssertionError(len(revisions))


async def test_a_service_that_cannot_be_opened_leaves_no_thread(tmp_path: Path) -> None:
    """The program would otherwise wait for it for ever, instead of ending with the reason."""
    bundle = tmp_path / "ca.pem"
    bundle.write_text("no certificate")
    metrics = ServerMetrics(CollectorRegistry())
    with pytest.raises(ssl.SSLError):
        async with open_resources(Settings(tls_ca_bundle=bundle), NoModel(), WikiTable.load(None), metrics):
            pass
    assert "score" not in {thread.name for thread in threading.enumerate()}
