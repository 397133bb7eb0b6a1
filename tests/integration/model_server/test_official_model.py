"""Production's artefacts through a stand-in for `knowledge_integrity`: served, or refused with the reason."""

import asyncio
import hashlib
import pickle
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from model_server.errors import MediaWikiUnavailableError
from model_server.metrics import ServerMetrics
from model_server.resources import open_resources
from model_server.settings import read_settings
from revertrisk.cli.programs import Program
from revertrisk.scoring.official import OfficialClassifier
from revertrisk.wiki.table import WikiTable
from tests.fakes.clients import STREAM, Client, StartServer
from tests.fakes.loopback import serving
from tests.fakes.refused_start import refused_start
from tests.fakes.wikis import AFTER, BEFORE, page, serving_wikis

PROJECT = Path(__file__).resolve().parents[3]
MODEL = "revertrisk-language-agnostic"
MODELS_MODULE = """
    import pickle
    from types import SimpleNamespace

    def load_model(path):
        with open(path, "rb") as file:
            return SimpleNamespace(**pickle.load(file))

    def classify(model, revisions):
        return [SimpleNamespace(**revision.judged(model)) for revision in revisions]
"""
SCHEMA_MODULE = """
    import json
    from datetime import datetime

    REQUIRED = {
        "": ("id", "lang", "text", "timestamp", "bytes"),
        "page": ("id", "title", "first_edit_timestamp"),
        "parent": ("id", "lang", "text", "timestamp", "bytes"),
        "user": ("id",),
    }

    class InvalidJSONError(Exception):
        pass

    class Revision:
        def __init__(self, given):
            self.given = given

        @classmethod
        def from_json(cls, text):
            given = json.loads(text)
            for part, names in REQUIRED.items():
                entity = given[part] if part else given
                if not all(name in entity for name in names):
                    raise InvalidJSONError(part)
                for name in names:
                    if name.endswith("timestamp"):
                        datetime.strptime(entity[name], "%Y-%m-%dT%H:%M:%SZ")
            return cls(given)

        def judged(self, model):
            # The answer tells what was given: the age of the page, growth, and who edited.
            made = datetime.strptime(self.given["page"]["first_edit_timestamp"], "%Y-%m-%dT%H:%M:%SZ")
            grown = self.given["bytes"] - self.given["parent"]["bytes"]
            anonymous = self.given["user"]["id"] == 0
            probability = made.year % 100 / 100 + grown / 1e5 + (0.001 if anonymous else 0)
            return {"prediction": probability > model.threshold, "probability": probability}
"""
GROWTH = len(AFTER) - len(BEFORE)
PROBABILITY = round(0.24 + GROWTH / 1e5 + 0.001, 6)
"""The stand-in's score of an anonymous edit that adds a line to a page of 2024."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with the stand-in, for PYTHONPATH."""
    folder = tmp_path_factory.mktemp("package")
    for name, content in {
        "__init__.py": "",
        "schema.py": SCHEMA_MODULE,
        "models/__init__.py": "",
        "models/revertrisk.py": MODELS_MODULE,
        "models/revertrisk_multilingual.py": MODELS_MODULE,
    }.items():
        file = folder / "knowledge_integrity" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(content))
    return str(folder)


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pickle as Lift Wing's storage holds it."""
    file = tmp_path_factory.mktemp("models") / "model.pkl"
    file.write_bytes(pickle.dumps({"model_version": 3, "supported_wikis": ["en", "de"], "threshold": 0.2}))
    return file


@pytest.fixture(scope="module")
def wiki() -> Iterator[str]:
    with serving_wikis(
        {"enwiki": [page(1, 10, 11)], "dewiki": [page(1, 10, 11)], "frwiki": [page(1, 10, 11)]}
    ) as url:
        yield url


def allowed(artefact: Path, package: str) -> dict[str, str]:
    """Return the environment under which the stand-in is loaded."""
    return {
        "MODEL_PATH": str(artefact),
        "ALLOW_PICKLE": "true",
        "MODEL_SHA256": hashlib.sha256(artefact.read_bytes()).hexdigest(),
        "PYTHONPATH": package,
    }


@pytest.fixture(scope="module")
def server(
    start_server: StartServer, wiki: str, gate: str, artefact: Path, package: str
) -> Iterator[Program]:
    with start_server(
        WIKI_URL=wiki,
        EVENTGATE_URL=gate,
        EVENTGATE_STREAM=STREAM,
        ALLOW_REVISION_JSON_INPUT="true",
        **allowed(artefact, package) | {"MODEL_PATH": str(artefact.parent)},
    ) as program:
        yield program


def scored(probability: float, *, wiki_db: str = "enwiki", revision_id: int = 11) -> dict[str, Any]:
    """Return the body of a score of the stand-in, whose own threshold is 0.2."""
    return {
        "model_name": MODEL,
        "model_version": "3",
        "wiki_db": wiki_db,
        "revision_id": revision_id,
        "output": {
            "prediction": True,
            "probabilities": {"true": probability, "false": round(1 - probability, 6)},
        },
    }


async def test_an_official_model_scores_with_its_own_version_and_decision(
    client: Client, server: Program
) -> None:
    """The revision goes to the package in its terms, the time of the page's first edit fetched beside it."""
    reply = await client.predict(server.url, {"lang": "en", "rev_id": 11})
    assert (reply.status, reply.body) == (200, scored(PROBABILITY))
    calls = [{"lang": "de", "rev_id": 11}, {"lang": "en", "rev_id": 11}, {"lang": "fr", "rev_id": 11}]
    several = (await client.predict(server.url, {"instances": calls})).body
    assert several["predictions"] == [scored(PROBABILITY, wiki_db="dewiki"), scored(PROBABILITY)]
    assert [error["code"] for error in several["errors"]] == ["unsupported_wiki"]


async def test_an_official_prediction_is_emitted_as_its_own(
    client: Client, server: Program, empty_gate: str
) -> None:
    """The event names the artefact's version and says what the model itself decided."""
    event = {
        "$schema": "/mediawiki/page/change/1.2.0",
        "meta": {
            "stream": "mediawiki.page_change.v1",
            "domain": "en.wikipedia.org",
            "uri": "https://en.wikipedia.org/wiki/Page_1",
            "request_id": "3e0486c5-21a6-4625-9f7e-87a8b5b2e77b",
            "dt": "2024-01-02T00:00:01Z",
        },
        "changelog_kind": "update",
        "page_change_kind": "edit",
        "dt": "2024-01-02T00:00:00Z",
        "wiki_id": "enwiki",
        "page": {"page_id": 1, "page_title": "Page_1", "namespace_id": 0, "is_redirect": False},
        "revision": {"rev_id": 11, "rev_parent_id": 10, "rev_dt": "2024-01-02T00:00:00Z"},
    }
    reply = await client.predict(server.url, {"event": event})
    assert (reply.status, reply.outcome) == (200, "produced"), reply.body
    (emitted,) = await client.accepted(empty_gate)
    assert emitted["predicted_classification"] == {
        "model_name": MODEL,
        "model_version": "3",
        "predictions": ["true"],
        "probabilities": {"true": PROBABILITY, "false": round(1 - PROBABILITY, 6)},
    }


async def test_an_unsaved_edit_must_tell_how_old_its_page_is(client: Client, server: Program) -> None:
    """What a wiki cannot be asked is asked of the caller, and refused by name where it is missing."""
    data: dict[str, Any] = {
        "lang": "en",
        "text": AFTER,
        "timestamp": "2026-10-01T12:00:00Z",
        "page": {"title": "Oberdorf"},
        "parent": {"text": BEFORE, "timestamp": "2026-09-01T12:00:00Z"},
        "user": {"id": 42},
    }
    refused = await client.predict(server.url, {"revision_data": data})
    assert (refused.status, refused.body["code"]) == (400, "invalid_request")
    assert "page.first_edit_timestamp" in refused.body["error"]
    data["page"]["first_edit_timestamp"] = "2050-01-01T00:00:00Z"
    reply = await client.predict(server.url, {"revision_data": data})
    assert reply.body == scored(round(0.5 + GROWTH / 1e5, 6), revision_id=-1)


async def test_an_official_model_is_not_explained(client: Client, server: Program) -> None:
    """404 with the reason."""
    url = f"{server.url}/v1/models/{MODEL}:explain"
    async with client.session.post(url, json={"lang": "en", "rev_id": 11}) as answer:
        body = await answer.json()
    assert (answer.status, body["code"]) == (404, "not_found")
    assert "cannot explain" in body["error"]


async def test_the_model_in_use_is_named(client: Client, server: Program) -> None:
    """With the official version."""
    async with client.session.get(f"{server.url}/metrics") as answer:
        assert f'model_name="{MODEL}",model_version="3",source="path"' in await answer.text()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ALLOW_PICKLE": ""}, "ALLOW_PICKLE: "),
        ({"ALLOW_PICKLE": "false"}, "ALLOW_PICKLE: "),
        ({"MODEL_SHA256": ""}, "MODEL_SHA256: expected the digest"),
        ({"MODEL_SHA256": "0" * 64}, "MODEL_SHA256: is not the digest"),
        ({"MODEL_SHA256": "abc"}, "MODEL_SHA256: "),
        ({"PYTHONPATH": ""}, "needs the package knowledge_integrity, which is not installed"),
        ({"MODEL_NAME": "revertrisk-wikidata"}, "MODEL_NAME: expected one of revertrisk-language-agnostic"),
        ({"DEVICE": "cuda"}, "DEVICE: "),
    ],
)
def test_a_condition_that_is_not_met_stops_the_start(
    artefact: Path, package: str, changes: dict[str, str], said: str
) -> None:
    """Exit 78 with the variable and the reason; the pickle has not been opened."""
    assert said in refused_start(**allowed(artefact, package) | changes)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no pickle", "the package knowledge_integrity could not load it (UnpicklingError)"),
        (
            pickle.dumps({"threshold": 0.2}),
            "the package knowledge_integrity does not have the expected interface",
        ),
    ],
    ids=["no pickle", "no version"],
)
def test_what_the_package_cannot_load_stops_the_start(
    tmp_path: Path, package: str, content: bytes, said: str
) -> None:
    """The kind of the failure is told, and nothing that the pickle made of it."""
    file = tmp_path / "model.pkl"
    file.write_bytes(content)
    assert said in refused_start(**allowed(file, package))


PRIVATE = "Erika Mustermann"


def _nothing(_: Any, __: list[Any]) -> list[Any]:
    return []


async def hang(_: web.Request) -> web.Response:
    await asyncio.sleep(3600)
    raise AssertionError


def answering(body: str, status: int = 200) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    return answer


@pytest.mark.parametrize(
    "handler",
    [
        answering(PRIVATE, 500),
        answering(f"<html>{PRIVATE}"),
        answering('{"error": {"code": "maxlag"}}'),
        answering('{"query": {"pages": [{"pageid": 1, "missing": true}]}}'),
        answering('{"query": {"pages": [{"revisions": [{"timestamp": "Erika Mustermann"}]}]}}'),
        answering("[]"),
        hang,
    ],
    ids=["500", "HTML", "maxlag", "missing page", "no timestamp", "an array", "hang"],
)
async def test_a_wiki_that_does_not_tell_the_first_edit_may_later(
    handler: Callable[[web.Request], Awaitable[web.Response]],
) -> None:
    """Whatever is wrong with the answer, it is asked for twice, then 503, and nothing of it is repeated."""
    app = web.Application()
    app.router.add_get("/w/api.php", handler)
    wikis, metrics = WikiTable.load(), ServerMetrics(CollectorRegistry())
    wiki = wikis.by_id("enwiki")
    assert wiki is not None
    classifier = OfficialClassifier(MODEL, SimpleNamespace(model_version=1), _nothing, str, str)
    with serving(app) as url:
        settings = read_settings(wiki_url=url, aiohttp_client_timeout=0.3)
        async with open_resources(settings, classifier, wikis, metrics) as resources:
            with pytest.raises(MediaWikiUnavailableError) as caught:
                await resources.mediawiki.first_edited_at(wiki, 1)
    assert PRIVATE not in str(caught.value)
    assert PRIVATE not in str(caught.value.__cause__)
    (family,) = metrics.mediawiki_seconds.collect()
    asked = [sample.value for sample in family.samples if sample.name.endswith("_count")]
    assert sum(asked) == 2
