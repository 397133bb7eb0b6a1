from collections.abc import AsyncIterator

import aiohttp
import pytest

from mock_eventgate import listening
from tests.integration.mock_eventgate.gate_client import Gate


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a client session that is not counted: it only reads back."""
    async with aiohttp.ClientSession(headers={"User-Agent": "tests/1.0"}) as client:
        yield client


@pytest.fixture
async def gate(session: aiohttp.ClientSession) -> AsyncIterator[Gate]:
    """Yield a running mock EventGate."""
    async with listening() as url:
        yield Gate(session, url)
