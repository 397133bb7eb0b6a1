"""A server that cannot work does not start, and says which variable is wrong."""

import hashlib
import json
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from model_server.settings import REMOVED_SETTINGS, removed_settings
from revertrisk.scoring.artifact import METADATA, WEIGHTS, shipped
from tests.fakes.clients import MODEL, STREAM, Client, StartServer
from tests.fakes.refused_start import PROJECT, refused_start


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"HTTP_PORT": "eighty"}, "HTTP_PORT"),
        ({"AIOHTTP_CLIENT_TIMEOUT": "0"}, "AIOHTTP_CLIENT_TIMEOUT"),
        ({"FORCE_HTTP": "perhaps"}, "FORCE_HTTP"),
        ({"WIKI_URL": "not a url"}, "WIKI_URL"),
        ({"DEVICE": "tpu"}, "DEVICE"),
        ({"VERIFY_EVENT": "sometimes"}, "VERIFY_EVENT"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT"),
        ({"MODEL_PATH": "/nowhere"}, "MODEL_PATH"),
        ({"MODEL_NAME": "revertrisk-unheard-of"}, "MODEL_NAME"),
        ({"WIKIS_FILE": "/nowhere.json"}, "nowhere.json"),
        ({"TLS_CA_BUNDLE": "/nowhere.pem"}, "TLS_CA_BUNDLE"),
        ({"TLS_CA_BUNDLE": __file__}, "TLS_CA_BUNDLE"),
        ({"EVENTGATE_URL": "http://127.0.0.1:9"}, "EVENTGATE_STREAM"),
        ({"EVENTGATE_STREAM": STREAM}, "EVENTGATE_URL"),
        ({"EVENTGATE_URL": "http://127.0.0.1:9", "EVENTGATE_STREAM": f"eqiad.{STREAM}"}, f"use {STREAM}"),
        (
            {"EVENTGATE_URL": "http://gate.example", "EVENTGATE_STREAM": STREAM, "LENIENT_EVENTS": "true"},
            "LENIENT_EVENTS",
        ),
    ],
    ids=lambda case: "-".join(case) if isinstance(case, dict) else "",
)
def test_a_bad_setting_stops_the_start_with_its_name(environment: dict[str, str], named: str) -> None:
    """E6, E7: exit 78 (EX_CONFIG), one message on stderr, no traceback."""
    assert named in refused_start(**environment)


def test_a_removed_setting_that_is_still_set_is_a_warning(start_server: StartServer) -> None:
    """By its name, with what holds instead; an empty one counts as unset."""
    with start_server(WIKI_LIMIT="40") as program:
        log = program.log.read_text()
    assert f"WIKI_LIMIT is set but no longer read: {REMOVED_SETTINGS['WIKI_LIMIT']}" in log
    assert removed_settings({"WIKI_LIMIT": "", "QUEUE_LIMIT": "9"}) == []


def test_a_model_of_another_name_stops_the_start() -> None:
    """MODEL_NAME says what events will claim; the artefact says what it is."""
    shipped = PROJECT / "revertrisk/scoring/artifacts/revertrisk-language-agnostic"
    said = refused_start(MODEL_NAME="revertrisk-something-else", MODEL_PATH=str(shipped))
    assert "MODEL_NAME" in said


def test_an_empty_model_folder_stops_the_start(tmp_path: Path) -> None:
    """The message names the file that is missing."""
    assert "metadata.json" in refused_start(MODEL_PATH=str(tmp_path))


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        ("mediawiki.no_such_stream.v1", "no stream of this name"),
        ("eventgate.test.event", "takes schema test/event"),
    ],
)
def test_a_stream_that_the_gate_does_not_take_stops_the_start(gate: str, stream: str, said: str) -> None:
    """DESIGN 13, E4: found at start, where the gate shows its stream configuration."""
    refusal = refused_start(EVENTGATE_URL=gate, EVENTGATE_STREAM=stream)
    assert "EVENTGATE_STREAM" in refusal
    assert said in refusal


async def test_a_gate_that_is_down_is_a_warning(
    client: Client, start_server: StartServer, sample_wiki: str
) -> None:
    """Readiness never depends on EventGate."""
    with start_server(
        WIKI_URL=sample_wiki, EVENTGATE_URL="http://127.0.0.1:9", EVENTGATE_STREAM=STREAM
    ) as program:
        assert await client.get(f"{program.url}/v2/health/ready") == {"ready": True}
        assert "EVENTGATE_STREAM is not checked" in program.log.read_text()


async def test_a_server_without_a_gate_says_that_it_only_scores(scorer: str, logs: Path) -> None:
    """Once, at start, and that it uses the CPU and the shipped model."""
    text = "".join(log.read_text() for log in logs.glob("server-*.log"))
    assert "scores only" in text
    assert "using the CPU" in text
    assert "the model that is shipped" in text


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"AIOHTTP_CLIENT_TIMEOUT": "inf"}, "AIOHTTP_CLIENT_TIMEOUT"),
        ({"USER_AGENT": "two\nlines"}, "USER_AGENT"),
        ({"WIKI_URL": "http://127.0.0.1:9/w/api.php"}, "WIKI_URL"),
        (
            {"EVENTGATE_URL": "http://127.0.0.1:9/v1/events?hasty=true", "EVENTGATE_STREAM": STREAM},
            "EVENTGATE_URL",
        ),
        ({"EVENTGATE_URL": "http://me:secret@127.0.0.1:9", "EVENTGATE_STREAM": STREAM}, "EVENTGATE_URL"),
        ({"EVENTGATE_URL": "http://127.0.0.1:9/v1/\r\nevents", "EVENTGATE_STREAM": STREAM}, "EVENTGATE_URL"),
        ({"EVENTGATE_URL": "http://127.0.0.1:9/v1/ev\tents", "EVENTGATE_STREAM": STREAM}, "EVENTGATE_URL"),
        ({"EVENTGATE_URL": " http://127.0.0.1:9", "EVENTGATE_STREAM": STREAM}, "EVENTGATE_URL"),
        ({"EVENTGATE_URL": "http://127.0.0.1:9\x7f", "EVENTGATE_STREAM": STREAM}, "EVENTGATE_URL"),
        ({"EVENTGATE_URL": "http://127.0.0.1:9", "EVENTGATE_STREAM": f"{STREAM}\r\n"}, "EVENTGATE_STREAM"),
        ({"WIKI_URL": "http://127.0.0.1:9\r\nX-A: b"}, "WIKI_URL"),
        ({"WIKI_URL": "http://wiki\n.example"}, "WIKI_URL"),
        ({"HTTP_HOST": "a\nb"}, "HTTP_HOST"),
        ({"HTTP_HOST": "a..b"}, "HTTP_HOST"),
        ({"LENIENT_EVENTS": "true", "VERIFY_EVENT": "strict"}, "VERIFY_EVENT"),
        # C5: what Kubernetes sets where a Service is named grpc.
        (
            {"GRPC_PORT": "tcp://10.0.0.1:8081"},
            "GRPC_PORT: expected a port number, not the address of a Service",
        ),
    ],
    ids=lambda case: "-".join(case) if isinstance(case, dict) else "",
)
def test_a_setting_that_would_fail_every_request_stops_the_start(
    environment: dict[str, str], named: str
) -> None:
    """Better no start than a server that answers 503 to everything."""
    assert named in refused_start(**environment)


@pytest.mark.parametrize(
    ("file", "content", "named"),
    [
        pytest.param(
            "wikis.json", b"[" * 100_000, "WIKIS_FILE: {file}: is nested too deeply", id="M3: wikis"
        ),
        pytest.param(
            "wikis.json",
            b'{"enwiki": {"domain": "en.wikipedia.org\\r\\nX-A: b", "language": "en", "family": "wikipedia"}}',
            "WIKIS_FILE: {file}: enwiki: domain must be a host name",
            id="U4: a domain",
        ),
        pytest.param(
            METADATA, b"[" * 100_000, "MODEL_PATH: {file}: file: is nested too deeply", id="M3: metadata"
        ),
        pytest.param(
            WEIGHTS, b"[" * 1000, "MODEL_PATH: {file}: file: is not a safetensors file", id="M3: weights"
        ),
        pytest.param(
            WEIGHTS, None, "MODEL_PATH: {file}: bias: has numbers that are not finite", id="M2: NaN"
        ),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start(
    tmp_path: Path, file: str, content: bytes | None, named: str
) -> None:
    """M2, M3, U4: exit 78 with the variable, the file and the field, although the digest of the weights is right."""
    folder = Path(shutil.copytree(shipped(MODEL), tmp_path / "model"))
    path = folder / file
    if content is None:
        tensors = load_file(path)
        content = save(tensors | {"bias": np.full_like(tensors["bias"], np.nan)})
    path.write_bytes(content)
    if file == WEIGHTS:
        metadata = json.loads((folder / METADATA).read_bytes())
        metadata["weights_sha256"] = hashlib.sha256(content).hexdigest()
        (folder / METADATA).write_text(json.dumps(metadata))
    environment = {"WIKIS_FILE": str(path)} if file == "wikis.json" else {"MODEL_PATH": str(folder)}
    assert named.format(file=path) in refused_start(**environment)


@pytest.mark.parametrize("variable", ["HTTP_PORT", "GRPC_PORT"])
def test_a_port_that_is_taken_stops_the_start(variable: str) -> None:
    """The variable is named, not only the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("", 0)) as taken_everywhere:
        port = (taken if variable == "HTTP_PORT" else taken_everywhere).getsockname()[1]
        said = refused_start(**{"ENABLE_GRPC": "true", "GRPC_PORT": "0", variable: str(port)})
    assert variable in said
