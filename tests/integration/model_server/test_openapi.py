"""The OpenAPI document is true: its examples are sent, and the answers are what it says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from jsonschema import Draft202012Validator

from revertrisk.event_platform.page_change import SkipReason
from tests.fakes.clients import MODEL, STREAM, Client, StartServer

DOCUMENT: dict[str, Any] = yaml.safe_load(
    (Path(__file__).resolve().parents[3] / "docs/openapi.yaml").read_bytes()
)


@pytest.fixture(scope="module")
def server(start_server: StartServer, gate: str, sample_wiki: str) -> Iterator[str]:
    with start_server(
        WIKI_URL=sample_wiki, EVENTGATE_URL=gate, EVENTGATE_STREAM=STREAM, ALLOW_REVISION_JSON_INPUT="true"
    ) as program:
        yield program.url


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Return a validator of a schema that may refer to the document's components."""
    return Draft202012Validator(schema | {"components": DOCUMENT["components"]})


def answer_schema(operation: dict[str, Any], status: int) -> dict[str, Any]:
    response = operation["responses"][str(status)]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    schema: dict[str, Any] = response["content"]["application/json"]["schema"]
    return schema


EXAMPLES = [
    (path, name, operation, example)
    for path, item in DOCUMENT["paths"].items()
    for operation in [item.get("post", {})]
    for name, example in operation.get("requestBody", {"content": {"application/json": {}}})["content"][
        "application/json"
    ]
    .get("examples", {})
    .items()
]
GETS = [(path, item["get"]) for path, item in DOCUMENT["paths"].items() if "get" in item]


@pytest.mark.parametrize(
    ("path", "name", "operation", "example"), EXAMPLES, ids=[f"{row[1]}" for row in EXAMPLES]
)
async def test_an_example_gets_the_answer_that_the_document_describes(
    client: Client, server: str, path: str, name: str, operation: dict[str, Any], example: dict[str, Any]
) -> None:
    """Status and body, for good examples and bad ones; a good one also keeps the request schema."""
    url = server + path.replace("{model_name}", MODEL)
    async with client.session.post(url, json=example["value"]) as answer:
        body = orjson.loads(await answer.read())
        assert answer.status == example["x-status"], (name, body)
    assert list(validator(answer_schema(operation, example["x-status"])).iter_errors(body)) == []
    if example["x-status"] == 200:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        assert list(validator(schema).iter_errors(example["value"])) == []


@pytest.mark.parametrize(("path", "operation"), GETS, ids=[path for path, _ in GETS])
async def test_a_get_answers_as_described(
    client: Client, server: str, path: str, operation: dict[str, Any]
) -> None:
    """Every GET of the document."""
    body = await client.get(server + path.replace("{model_name}", MODEL))
    assert list(validator(answer_schema(operation, 200)).iter_errors(body)) == []


async def test_the_document_is_served(client: Client, server: str) -> None:
    """The same one that is in docs/."""
    assert await client.get(f"{server}/openapi.json") == DOCUMENT


def test_the_document_names_every_skip_reason() -> None:
    """A closed set, in one place in the code and one in the document."""
    documented = DOCUMENT["components"]["schemas"]["Skipped"]["properties"]["reason"]["enum"]
    assert set(documented) == {reason.value for reason in SkipReason}
