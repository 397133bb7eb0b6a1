"""Debian's Prometheus and Alertmanager with the example of docs/alerts.md: start and end at a webhook in seconds.

apt-get install prometheus prometheus-alertmanager, then: python -m tests.peers.alertmanager
"""

import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

import yaml
from aiohttp import web
from prometheus_client import CollectorRegistry

from revertrisk.alerts.incidents import Incident, Series
from revertrisk.alerts.metrics import WatchMetrics
from revertrisk.alerts.settings import WatchSettings
from revertrisk.alerts.store import Store
from revertrisk.alerts.watch import Watch
from revertrisk.runtime.metrics_port import serving_metrics
from tests.fakes.loopback import held_port, serving

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "alerts.md"
AIM_S: Final = 5.0
GIVE_UP_S: Final = 60.0


class Webhook:
    """Notes when Alertmanager's messages come, by their status."""

    def __init__(self) -> None:
        self.came: dict[str, float] = {}
        self.labels: dict[str, str] = {}

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/", self.take)
        return app

    async def take(self, request: web.Request) -> web.Response:
        document: dict[str, Any] = await request.json()
        self.came.setdefault(document["status"], monotonic())
        self.labels = document["commonLabels"]
        return web.Response()

    def wait(self, status: str, since: float) -> float:
        """Return the seconds until a status has come."""
        while status not in self.came:
            if monotonic() - since > GIVE_UP_S:
                sys.exit(f"no {status} message came in {GIVE_UP_S:.0f} s")
            sleep(0.05)
        return self.came[status] - since


@contextmanager
def running(*command: str, folder: Path) -> Iterator[None]:
    """Run a program while the context lasts."""
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Open an incident, end it, and say how long each message took."""
    rules, route = (
        yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    )
    webhook = Webhook()
    registry = CollectorRegistry()
    metrics = WatchMetrics(registry)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        hook = stack.enter_context(serving(webhook.app()))
        ours, prometheus, alertmanager = (stack.enter_context(held_port()) for _ in range(3))
        route["receivers"][0]["webhook_configs"][0]["url"] = f"{hook}/"
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(route))
        (folder / "rules.yml").write_text(yaml.safe_dump(rules))
        configuration = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]},
            "scrape_configs": [{"job_name": "surge", "static_configs": [{"targets": [f"127.0.0.1:{ours}"]}]}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        store = stack.enter_context(Store(":memory:"))
        watch = Watch(WatchSettings(), store, live_since=0, now=0.0)
        metrics.note(watch)
        stack.enter_context(serving_metrics(registry, ours))
        stack.enter_context(
            running(
                "prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=am",
                "--cluster.listen-address=",
                f"--web.listen-address=127.0.0.1:{alertmanager}", folder=folder,
            )
        )  # fmt: skip
        stack.enter_context(
            running(
                "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb",
                f"--web.listen-address=127.0.0.1:{prometheus}", folder=folder,
            )
        )  # fmt: skip
        threading.Event().wait(8)  # both read their files and scrape for a first time
        incident = Incident("id", "enwiki", Series.EDITS.value, since=0, found=0)
        incident.observed, incident.expected = 30.0, 10.0
        watch._announcer.open(incident)  # noqa: SLF001 - the surge itself is tested elsewhere
        metrics.note(watch)
        start = webhook.wait("firing", monotonic())
        watch._announcer.end(("enwiki", Series.EDITS.value), 1)  # noqa: SLF001 - likewise
        metrics.note(watch)
        end = webhook.wait("resolved", monotonic())
        print(f"start after {start:.1f} s, end after {end:.1f} s, labels {webhook.labels}")  # noqa: T201
        sys.exit(0 if max(start, end) <= AIM_S else f"the aim is {AIM_S:.0f} s each")


if __name__ == "__main__":
    main()
