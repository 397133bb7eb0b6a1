"""Where the contract is tested: a mock EventGate by default, any EventGate with ``--base-url``.

A real one needs a stream configuration in which `PREDICTION_STREAM` of `contract_events` carries
``mediawiki/page/prediction_classification_change``, a schema repository with the schemas of this project,
and test events.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDictProxy

from mock_eventgate import Options, listening


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, as far as the contract speaks of it."""

    status: int
    reason: str | None
    headers: CIMultiDictProxy[str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


Send = Callable[..., Awaitable[Answer]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that point the suite at another EventGate."""
    parser.addoption("--base-url", help="test this EventGate instead of the mock, e.g. http://localhost:8192")
    parser.addoption("--max-body", type=int, help="that EventGate's body limit in bytes (default 102400)")


@pytest.fixture
def base_url_option(request: pytest.FixtureRequest) -> str | None:
    """Return ``--base-url``; a default is given because the option is unknown in a run of all tests."""
    url = request.config.getoption("--base-url", default=None)
    return None if url is None else str(url).rstrip("/")


@pytest.fixture
def max_body(request: pytest.FixtureRequest) -> int:
    """Return the body limit of the EventGate under test, in bytes."""
    return int(request.config.getoption("--max-body", default=None) or 100 * 1024)


@pytest.fixture
async def base_url(base_url_option: str | None) -> AsyncIterator[str]:
    """Yield the address of the EventGate under test."""
    if base_url_option is not None:
        yield base_url_option
        return
    async with listening() as url:
        yield url


@pytest.fixture
async def send(base_url: str) -> AsyncIterator[Send]:
    """Yield a function that sends one request and returns the answer."""
    async with aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session:

        async def send_request(method: str, path: str, **options: Any) -> Answer:
            async with session.request(method, base_url + path, allow_redirects=False, **options) as response:
                return Answer(response.status, response.reason, response.headers, await response.read())

        yield send_request


@pytest.fixture
async def roomy_url(base_url_option: str | None) -> AsyncIterator[str]:
    """Yield the address of an EventGate that takes larger bodies than its Kafka takes messages."""
    if base_url_option is not None:
        pytest.skip("needs an EventGate whose body limit is above Kafka's message limit")
    async with listening(options=Options(max_body=1_000_000, max_message_bytes=10_000)) as url:
        yield url
