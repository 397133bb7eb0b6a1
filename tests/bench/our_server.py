"""Our server, put together as `model_server.__main__` does it, with any classifier, or with an echo for a model.

The benchmark of another commit starts this program (`against.py`): its options stay as they are.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import REGISTRY

sys.path.insert(0, str(Path(__file__).parents[2]))

from model_server.metrics import ServerMetrics
from model_server.settings import read_settings
from revertrisk.runtime.logs import configure_logging
from revertrisk.wiki.table import WikiTable
from tests.bench.compute import classifier
from tests.bench.loop_lag import LoopLag


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--model", default="null")
    parser.add_argument("--echo", action="store_true", help="answer every body with itself")
    parser.add_argument("--watch-lag", action="store_true", help="have the event loop's lag as a metric")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one more setting")
    arguments = parser.parse_args()
    sys.argv = sys.argv[:1]  # kserve parses it when it is imported

    import kserve  # noqa: PLC0415

    from model_server.answers import VerbAnswer  # noqa: PLC0415
    from model_server.kserve_shell.model import RevertRiskModel  # noqa: PLC0415
    from model_server.kserve_shell.serving import run_server  # noqa: PLC0415
    from model_server.resources import Resources  # noqa: PLC0415
    from model_server.server_context import ServerContext  # noqa: PLC0415

    class EchoModel(kserve.Model):  # type: ignore[misc]  # kserve ships no types
        """What our REST layer asks of a model, and nothing behind it."""

        def __init__(self, context: ServerContext, _: Resources) -> None:
            super().__init__(context.model_name)
            self.ready = True

        async def answer(self, body: bytes, deadline: float, headers: Any = None) -> VerbAnswer:
            answer, _ = await self(orjson.loads(body), headers)
            return VerbAnswer(orjson.dumps(answer), "direct")

        async def predict(self, payload: Any, headers: Any = None) -> Any:
            return payload

    class WatchedModel(RevertRiskModel):
        """Ours, with an eye on the event loop that it is used in."""

        def __init__(self, context: ServerContext, resources: Resources) -> None:
            super().__init__(context, resources)
            self._watching = asyncio.create_task(LoopLag().watch())

    scorer = classifier(arguments.model)
    settings = read_settings(
        model_name=scorer.name,
        wiki_url=arguments.upstream,
        eventgate_url=arguments.upstream,
        eventgate_stream="mediawiki.page_revert_risk_prediction_change.v1",
        http_host="127.0.0.1",
        http_port=arguments.port,
        enable_grpc=False,
        shutdown_delay_seconds=0.0,
        shutdown_grace_seconds=0,
        user_agent="revertrisk-events benchmark",
        **dict(each.split("=", 1) for each in arguments.set),
    )
    configure_logging("ecs", "INFO", sys.stdout, hides_arguments=True)
    context = ServerContext(settings, scorer, WikiTable.load(), ServerMetrics(REGISTRY))
    ours = WatchedModel if arguments.watch_lag else RevertRiskModel
    run_server(context, settings, EchoModel if arguments.echo else ours)


if __name__ == "__main__":
    main()
