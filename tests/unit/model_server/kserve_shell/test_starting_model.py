"""What stands for the model until the server's event loop runs."""

import pytest
from prometheus_client import CollectorRegistry

from model_server.metrics import ServerMetrics
from model_server.server_context import ServerContext
from model_server.settings import Settings
from revertrisk.wiki.table import WikiTable


class NoModel:
    """A classifier that is never asked."""

    name, version = "none", "0"

    def supports(self, wiki_id: str) -> bool:
        raise NotImplementedError

    def score(self, revisions: object) -> list[object]:
        raise NotImplementedError


async def test_a_call_over_grpc_before_there_is_a_model_may_be_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """UNAVAILABLE, counted and logged like every other request, and the server is not ready."""
    monkeypatch.setattr("sys.argv", ["pytest"])  # KServe parses it when it is imported
    import grpc  # noqa: PLC0415
    from grpc_interceptor.exceptions import GrpcException  # noqa: PLC0415

    from model_server.kserve_shell.model import RevertRiskModel, StartingModel  # noqa: PLC0415

    registry = CollectorRegistry()
    context = ServerContext(Settings(), NoModel(), WikiTable.load(None), ServerMetrics(registry))  # type: ignore[arg-type]
    starting = StartingModel(context, RevertRiskModel)
    starting.load()
    assert not await starting.healthy()
    with pytest.raises(GrpcException) as caught:
        await starting({})
    assert caught.value.status_code is grpc.StatusCode.UNAVAILABLE
    assert registry.get_sample_value("revertrisk_requests_total", {"outcome": "not_ready"}) == 1
