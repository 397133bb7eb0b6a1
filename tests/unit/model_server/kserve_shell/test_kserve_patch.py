"""The one patch of KServe, and the private names that it stands on: an upgrade that moves them fails here."""

import inspect
from importlib.metadata import version

import pytest


@pytest.fixture(autouse=True)
def kserve_without_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """KServe parses sys.argv when it is imported."""
    monkeypatch.setattr("sys.argv", ["pytest"])


def test_the_version_is_the_one_that_was_read() -> None:
    """Every assumption below was checked against this release."""
    assert version("kserve") == "0.21.0"


def test_the_rest_server_is_looked_up_where_it_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """ModelServer.start and the multi-process server take the class from their own module's globals."""
    import kserve.model_server  # noqa: PLC0415
    from kserve.protocol.rest.multiprocess import server as multiprocess  # noqa: PLC0415

    from model_server.kserve_shell import rest  # noqa: PLC0415

    for module in (kserve.model_server, multiprocess):
        monkeypatch.setattr(module, "RESTServer", module.RESTServer)
    assert "RESTServer(" in inspect.getsource(kserve.model_server.ModelServer.start)
    assert "RESTServer(" in inspect.getsource(multiprocess.RESTServerMultiProcess.__init__)
    rest.install()
    assert kserve.model_server.RESTServer is rest.RevertRiskRESTServer
    assert multiprocess.RESTServer is rest.RevertRiskRESTServer


def test_the_grpc_server_is_started_as_kserves_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """S9: it stands where KServe looks it up, and does what KServe's start does, but for the services."""
    import kserve.model_server  # noqa: PLC0415
    from kserve.protocol.grpc import server  # noqa: PLC0415

    from model_server.kserve_shell import grpc_server  # noqa: PLC0415

    monkeypatch.setattr(kserve.model_server, "GRPCServer", server.GRPCServer)
    assert "GRPCServer(" in inspect.getsource(kserve.model_server.ModelServer.start)
    grpc_server.install()
    assert kserve.model_server.GRPCServer is grpc_server.HealthyGRPCServer
    source = inspect.getsource(server.GRPCServer.start)
    for done in (
        "interceptors=(LoggingInterceptor(), ExceptionToStatusInterceptor())",
        '"grpc.max_send_message_length"',
        '"grpc.max_receive_message_length"',
        "add_GRPCInferenceServiceServicer_to_server",
        "self._server.add_insecure_port(",
        "await self._server.wait_for_termination()",
    ):
        assert done in source
    assert source.count("await ") == 2
    assert "self._server.stop(grace=self._grace_period)" in inspect.getsource(server.GRPCServer.stop)


def test_what_we_override_is_there_to_be_overridden() -> None:
    """KServe's hooks for routes, middlewares and handlers, and uvicorn's for signals and ticks."""
    from kserve.model_server import ModelServer  # noqa: PLC0415
    from kserve.protocol.rest.server import RESTServer, _RefreshingServer  # noqa: PLC0415

    for name in ("create_application", "_add_middlewares", "_add_exception_handlers", "_register_endpoints"):
        assert f"self.{name}(" in inspect.getsource(RESTServer) or name == "create_application"
    for name in ("handle_exit", "on_tick", "_log_started_message", "serve", "startup"):
        assert callable(getattr(_RefreshingServer, name))
    assert "self._wait_tasks_to_complete()" in inspect.getsource(_RefreshingServer.shutdown)
    assert "_captured_signals" in inspect.getsource(_RefreshingServer.handle_exit)
    assert "self.register_signal_handler()" in inspect.getsource(ModelServer.start)


def test_uvicorns_protocol_is_what_ours_stands_on() -> None:
    """It takes its transport and its loop from where ours puts and finds them, and a scope for each request."""
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle  # noqa: PLC0415

    assert "self.transport = transport" in inspect.getsource(HttpToolsProtocol.connection_made)
    assert "self.loop = " in inspect.getsource(HttpToolsProtocol.__init__)
    assert "self.scope = {" in inspect.getsource(HttpToolsProtocol.on_message_begin)
    assert "scope=self.scope" in inspect.getsource(HttpToolsProtocol.on_headers_complete)
    assert inspect.getsource(RequestResponseCycle.send).count("self.transport.write(") == 3
    # What `BoundedProtocol` does with a request that it refuses.
    assert "self.cycle = RequestResponseCycle(" in inspect.getsource(HttpToolsProtocol.on_headers_complete)
    assert "self.keep_alive" in inspect.getsource(RequestResponseCycle.send)
    assert "self.message_event.wait()" in inspect.getsource(RequestResponseCycle.receive)
    for name in ("on_response_complete", "_unset_keepalive_if_required", "timeout_keep_alive_handler"):
        assert callable(getattr(HttpToolsProtocol, name))
    assert "access_logger.hasHandlers()" in inspect.getsource(HttpToolsProtocol.__init__)


async def test_our_run_of_the_hooks_is_kserves() -> None:
    """A V1 request goes through the same hooks, counted by the same clocks, as in KServe's own ``__call__``."""
    from kserve import Model  # noqa: PLC0415

    source = inspect.getsource(Model.__call__)
    order = [
        "PRE_HIST_TIME",
        "self.preprocess(",
        "PREDICT_HIST_TIME",
        "self.predict(",
        "POST_HIST_TIME",
        "self.postprocess(",
    ]
    places = [source.index(each) for each in order]
    assert places == sorted(places)
