"""``/metrics`` of a server with several workers: each worker answers for all of them."""

import os
from collections.abc import Iterator

import psutil
from fastapi import Request, Response
from prometheus_client import CollectorRegistry, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector


class AllProcesses(Collector):
    """The ``process_`` metrics that a dashboard needs, as sums over all processes of the server."""

    def collect(self) -> Iterator[Metric]:
        """Yield the sums over the parent and its workers; a process that ends meanwhile is left out."""
        cpu_seconds, resident, files = 0.0, 0, 0
        parent = psutil.Process(os.getppid())
        for process in (parent, *parent.children(recursive=True)):
            try:
                times, memory, open_files = process.cpu_times(), process.memory_info(), process.num_fds()
            except psutil.Error:
                continue
            cpu_seconds += times.user + times.system
            resident += memory.rss
            files += open_files
        yield CounterMetricFamily(
            "process_cpu_seconds_total", "CPU time of all processes, in seconds.", cpu_seconds
        )
        yield GaugeMetricFamily(
            "process_resident_memory_bytes", "Resident memory of all processes, in bytes.", resident
        )
        yield GaugeMetricFamily("process_open_fds", "Open file descriptors of all processes.", files)


def merged_metrics(request: Request) -> Response:
    """Answer ``/metrics`` for all workers; FastAPI calls it in a thread, since it reads all their files."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client gives it no types
    registry.register(AllProcesses())
    encoder, content_type = exposition.choose_encoder(request.headers.get("accept", ""))
    return Response(encoder(registry), headers={"content-type": content_type})
