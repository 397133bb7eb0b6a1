"""Dispatchers as processes of their own, and the cluster that they read."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.dispatchers import PROGRAM, Dispatcher, StartDispatcher
from tests.fakes.kafka_cluster import KafkaCluster, kafka_cluster
from tests.fakes.scripted_http import ScriptedServer, scripted_server
from tests.integration.dispatcher.workplace import Workplace


@pytest.fixture(scope="session")
def cluster() -> Iterator[KafkaCluster]:
    with kafka_cluster() as running:
        yield running


@pytest.fixture
async def model_server() -> AsyncIterator[ScriptedServer]:
    """A model server that produces everything unless a test says otherwise."""
    async with scripted_server() as scripted:
        yield scripted


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """Return a folder to run in."""
    return Workplace(tmp_path)


@pytest.fixture
async def start_dispatcher(tmp_path: Path) -> AsyncIterator[StartDispatcher]:
    """Start dispatchers that share a rule file, ``rule.yaml`` in the test's folder; what still runs is killed."""
    started: list[Dispatcher] = []

    async def start(target: str, source: str, **settings: Any) -> Dispatcher:
        given = {
            "target": target,
            "source": source,
            "rule_file": str(tmp_path / "rule.yaml"),
            "dead_letters": str(tmp_path / "dead.jsonl"),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-W", "error", "-c", PROGRAM, json.dumps(given | settings)),
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONFAULTHANDLER": "1"},
            stdin=asyncio.subprocess.PIPE if source == "jsonl:-" else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        started.append(Dispatcher(process))
        return started[-1]

    yield start
    for dispatcher in started:
        if dispatcher.process.returncode is None:
            await dispatcher.kill()
