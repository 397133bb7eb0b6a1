"""Models as they should not be, and two versions of one at the same time."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from revertrisk.cli.programs import Program
from revertrisk.scoring.artifact import METADATA, MODEL_CARD, WEIGHTS, shipped
from tests.fakes.clients import MODEL, STREAM, Client, Reply, StartServer
from tests.fakes.edited_wikis import EditedWikis, edit_of
from tests.integration.edge_cases.rows import LIMITS


def changed_model(folder: Path, *, spoil: bool = False, **metadata: Any) -> Path:
    """Copy the shipped artefact with other metadata, or with weights that give no number for edits like those here."""
    source = shipped(MODEL)
    folder.mkdir()
    weights = load_file(source / WEIGHTS)
    if spoil:
        # Finite, and of no effect on most edits: one that adds a reference makes infinity, and that times 0 no number.
        core = json.loads((source / METADATA).read_bytes())["preprocessing"]["core"]
        (references,) = (index for index, scale in enumerate(core) if scale["name"] == "references_gained")
        weights["hidden_weight"][0, :, 0] = 0
        weights["hidden_weight"][0, references, 0] = np.finfo(np.float64).max
        weights["output_weight"][0, 0, 0] = 0
    save_file(weights, folder / WEIGHTS)
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    content = json.loads((source / METADATA).read_bytes()) | metadata | {"weights_sha256": digest}
    (folder / METADATA).write_text(json.dumps(content))
    (folder / MODEL_CARD).write_bytes((source / MODEL_CARD).read_bytes())
    return folder


@pytest.fixture(scope="module")
def another_model(
    start_server: StartServer, wikis: EditedWikis, edge_gate: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """A newer version, made for two wikis only."""
    folder = changed_model(
        tmp_path_factory.mktemp("another") / "model",
        version="revertrisk-events-900",
        supported_wikis=["enwiki", "dewiki"],
    )
    with start_server(
        WIKI_URL=wikis.url, EVENTGATE_URL=edge_gate, EVENTGATE_STREAM=STREAM, MODEL_PATH=str(folder), **LIMITS
    ) as program:
        yield program


async def test_e29_unsupported_wiki_is_skipped_and_refused(
    client: Client, another_model: Program, wikis: EditedWikis, edge_gate: str, replies: list[Reply]
) -> None:
    """An event of a wiki that the model does not support is skipped, and a direct call gets 422, without a fetch."""
    await client.forget(edge_gate)
    async with client.session.delete(f"{wikis.url}/_mock/requests"):
        pass
    event = wikis.event(1, "zh_yuewiki")
    replies.append(await client.predict(another_model.url, {"event": event}, reemit=False))
    replies.append(await client.predict(another_model.url, {"lang": "yue", "rev_id": edit_of(1)}))
    assert [(reply.status, reply.outcome) for reply in replies] == [
        (200, "skipped:unsupported_wiki"),
        (422, None),
    ]
    assert replies[1].body["code"] == "unsupported_wiki"
    assert await client.get(f"{wikis.url}/_mock/requests") == []
    replies.append(await client.predict(another_model.url, {"event": wikis.event(1, "dewiki")}, reemit=False))
    assert replies[2].outcome == "produced"


async def test_e38_model_version_is_part_of_the_id(
    client: Client,
    another_model: Program,
    edge_server: Program,
    wikis: EditedWikis,
    edge_gate: str,
    replies: list[Reply],
) -> None:
    """Two versions of a model that are live at once have an event each, with different ids."""
    await client.forget(edge_gate)
    event = wikis.plain_edit()
    for server in (edge_server, another_model):
        replies.append(await client.predict(server.url, {"event": event}, reemit=False))
        assert replies[-1].outcome == "produced"
    old, new = await client.accepted(edge_gate)
    versions = [found["predicted_classification"]["model_version"] for found in (old, new)]
    assert versions == [reply.body["model_version"] for reply in replies]
    assert versions[1] == "revertrisk-events-900" != versions[0]
    assert old["meta"]["id"] != new["meta"]["id"]
    async with client.session.get(f"{another_model.url}/metrics") as answer:
        assert 'model_version="revertrisk-events-900"' in await answer.text()


@contextmanager
def spoiled(start_server: StartServer, wikis: EditedWikis, gate: str, folder: Path) -> Iterator[Program]:
    with start_server(
        WIKI_URL=wikis.url,
        EVENTGATE_URL=gate,
        EVENTGATE_STREAM=STREAM,
        MODEL_PATH=str(changed_model(folder, spoil=True)),
        **LIMITS,
    ) as program:
        yield program


async def test_e36_score_that_is_no_probability_is_500_and_never_emitted(
    client: Client,
    start_server: StartServer,
    wikis: EditedWikis,
    edge_gate: str,
    replies: list[Reply],
    tmp_path: Path,
) -> None:
    """A score that is not a probability is 500 and is not emitted; the server stays up."""
    await client.forget(edge_gate)
    with spoiled(start_server, wikis, edge_gate, tmp_path / "model") as program:
        bodies = [
            {"event": wikis.plain_edit()},
            {"event": wikis.plain_edit()},
            {"lang": "en", "rev_id": edit_of(1)},
        ]
        replies += [await client.predict(program.url, body, reemit=False) for body in bodies]
        assert [(reply.status, reply.body["code"]) for reply in replies] == [(500, "bad_score")] * 3
        assert await client.get(f"{program.url}/v2/health/live") == {"live": True}
    assert await client.accepted(edge_gate) == []
