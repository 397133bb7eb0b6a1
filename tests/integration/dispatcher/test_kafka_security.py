"""TLS and SASL settings on the wire: a proxy before the mock brokers ends both."""

import logging
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from revertrisk.dispatcher import DispatchSettings, dispatch
from tests.fakes.kafka_cluster import QUICKEST_GROUPS, KafkaCluster
from tests.fakes.kafka_tls import Authority, TlsProxy, tls_in_front_of
from tests.fakes.scripted_http import ScriptedServer

pytestmark = pytest.mark.ci("Kafka brokers")

PASSWORD = "hunter2"  # noqa: S105 - a test's
RULE = """
rules:
  - name: model
    topic: t
    exec: {method: post, uri: '{{globals.target}}/p', body: {event: '{{message}}'}}
"""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def secured(proxy: TlsProxy, authority: Authority, folder: Path, **changes: str) -> tuple[str, ...]:
    """Return settings as an operator writes them, the passwords in files."""
    certificate, key = authority.issue("dispatcher", PASSWORD)
    (folder / "password").write_text(f"{PASSWORD}\n")
    settings = {
        "bootstrap.servers": f"127.0.0.1:{proxy.port}",
        "security.protocol": "SASL_SSL" if proxy.token else "SSL",
        "ssl.ca.location": str(authority.certificate),
        "ssl.certificate.location": str(certificate),
        "ssl.key.location": str(key),
        "ssl.key.password": f"@{folder}/password",
    }
    if proxy.token:
        settings |= {
            "sasl.mechanism": "PLAIN",
            "sasl.username": "alice",
            "sasl.password": f"@{folder}/password",
        }
    settings |= {name.replace("_", "."): value for name, value in changes.items()}
    return (*(f"{key}={value}" for key, value in settings.items()), *QUICKEST_GROUPS)


def reading(
    folder: Path, topic: str, target: str, kafka: tuple[str, ...], **changes: Any
) -> DispatchSettings:
    (folder / "rule.yaml").write_text(RULE.replace("topic: t", f"topic: {topic}"))
    given: dict[str, Any] = {
        "source": f"kafka:{topic}",
        "rule_file": folder / "rule.yaml",
        "target": target,
        "dead_letters": folder / "dead.jsonl",
        "kafka": kafka,
        "from_start": True,
        "to_end": True,
    }
    return DispatchSettings(**given | changes)


@pytest.mark.parametrize("user", [None, "alice"])
async def test_certificates_and_passwords_reach_the_brokers(
    cluster: KafkaCluster,
    model_server: ScriptedServer,
    authority: Authority,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    user: str | None,
) -> None:
    """With TLS, a client certificate and SASL PLAIN events are read, and dead letters written; no secret is logged."""
    caplog.set_level(logging.DEBUG)
    topic = f"secured-{user}"
    cluster.create(topic, 1)
    cluster.create(f"{topic}.dead", 1)
    cluster.produce(topic, [(0, orjson.dumps({"meta": {}, "number": 1})), (0, b"no event")])
    async with tls_in_front_of(cluster.brokers, authority, user=user, password=PASSWORD) as proxy:
        summary = await dispatch(
            reading(
                tmp_path,
                topic,
                model_server.url,
                secured(proxy, authority, tmp_path),
                dead_letters=f"kafka:{topic}.dead",
            )
        )
    assert summary.outcomes == {"produced": 1, "given_up:invalid_json": 1}, summary.source_error
    assert proxy.clients == {"dispatcher"}
    assert len(cluster.read(f"{topic}.dead", 1)) == 1
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"ssl_ca_location": "another"}, "certificate verify failed"),
        ({"sasl_password": "swordfish"}, "[Aa]uthentication"),
    ],
)
async def test_a_refusal_says_why(
    cluster: KafkaCluster,
    model_server: ScriptedServer,
    authority: Authority,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    wrong: dict[str, str],
    reason: str,
) -> None:
    """An authority that did not issue the broker's certificate, and a wrong password, are told apart from silence."""
    (tmp_path / "other").mkdir()
    if "ssl_ca_location" in wrong:
        wrong = {"ssl_ca_location": str(Authority(tmp_path / "other").certificate)}
    async with tls_in_front_of(cluster.brokers, authority, user="alice", password=PASSWORD) as proxy:
        kafka = secured(proxy, authority, tmp_path, **wrong)
        summary = await dispatch(reading(tmp_path, "refused", model_server.url, kafka))
    assert summary.source_error is not None
    assert re.search(reason, summary.source_error), summary.source_error
    assert PASSWORD not in caplog.text + summary.source_error
    assert "swordfish" not in caplog.text + summary.source_error
