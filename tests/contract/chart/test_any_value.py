"""Whatever is in the values: what helm then renders is valid, or it stops and names the path."""

import copy
import functools
import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts" / "revertrisk"
KSERVE_SCHEMA = ROOT.parent / "shared" / "kserve_crd" / "inferenceservice.v1beta1.schema.json"

Values = dict[str, Any]
Key = str | int
Place = tuple[Key, ...]
Render = Callable[[Values], subprocess.CompletedProcess[str]]

WRONG_TYPES = (None, "text", 7, True, [], {})
LOOK_LIKE_OTHERS = ("1e3", "a: b #c", "null", "on", "0x10")
"""Text that YAML reads as something else where it is not quoted."""
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
PEERS = [
    {
        "podSelector": {"matchLabels": {"app": "a"}},
        "namespaceSelector": {"matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]},
    },
    {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.1/32"]}},
]
FULL: Values = {
    "kserve": {"enabled": False},
    "inference": {
        "annotations": {"example.org/a": "shared"},
        "predictor": {
            "base_env": [{"name": "WIKI_URL", "value": "http://wiki"}],
            "config": {"serviceAccountName": "kserve"},
        },
    },
    "inference_services": {
        "rr": {
            "role": "producer",
            "annotations": {"example.org/b": "own"},
            "predictor": {
                "image": "other",
                "image_version": "9.0.0",
                "files": "wikis",
                "config": {"minReplicas": 2, "maxReplicas": 2, "canaryTrafficPercent": 10},
                "container": {
                    "resources": {
                        "requests": {"cpu": "1", "memory": "1Gi"},
                        "limits": {"cpu": "2", "memory": "2Gi"},
                    }
                },
                "custom_env": [
                    {"name": "MODEL_NAME", "value": "revertrisk-language-agnostic"},
                    {"name": "STORAGE_URI", "value": "s3://models/1"},
                    {"name": "EVENTGATE_STREAM", "value": "a.rc0"},
                    {
                        "name": "EVENTGATE_URL",
                        "valueFrom": {"secretKeyRef": {"name": "gate", "key": "url", "optional": False}},
                    },
                ],
            },
        }
    },
    "storage_initializer": {"credentials_secret": "storage"},
    "dispatcher": {
        "enabled": True,
        "source": "eventstreams:mediawiki.page_change.v1",
        "datacentres": ["eqiad"],
        "retry_topic": "later",
        "custom_env": [{"name": "KAFKA_BOOTSTRAP_SERVERS", "value": "kafka:9093"}],
        "kafka_secret": "certificates",
        "extra_args": ["--dry-run"],
        "state": {"storage_class": "fast"},
        "dispatchers": {
            "rr": {"target": "http://rr", "rule": "rr.yaml", "concurrency": 20},
            "written": {"target": "http://rr", "rules": [{"name": "a", "match": {"page_id": 12345678}}]},
        },
    },
    "analytics": {
        "datacentres": ["eqiad"],
        "custom_env": [
            {"name": "KAFKA_BOOTSTRAP_SERVERS", "value": "kafka:9093"},
        ],
        "kafka_secret": "certificates",
        "lake": {
            "enabled": True,
            "sources": ["kafka:mediawiki.page_change.v1", "eventstreams:mediawiki.page_change.v1"],
            "custom_env": [
                {
                    "name": "AWS_SECRET_ACCESS_KEY",
                    "valueFrom": {"secretKeyRef": {"name": "store", "key": "key"}},
                }
            ],
            "wikis": ["testwiki"],
            "key_secret": "lake-key",
            "extra_args": ["--from-beginning"],
            "volume": {"storage_class": "fast"},
        },
        "surge": {
            "enabled": True,
            "sources": ["eventstreams:mediawiki.page_change.v1"],
            "wikis": ["testwiki"],
            "slack_secret": "slack",
            "webhook_secret": "hook",
            "extra_args": ["--json"],
            "state": {"storage_class": "fast"},
        },
        "dashboard": {
            "enabled": True,
            "sources": ["eventstreams:mediawiki.page_change.v1"],
            "extra_args": ["--hours=12"],
        },
    },
    "mocks": {"enabled": True},
    "networkpolicy": {
        "ingress": {"producer": PEERS, "monitoring": PEERS, "dashboard": PEERS},
        "egress": {"mediawiki": [{"to": PEERS, "ports": [{"port": 443, "protocol": "TCP"}]}]},
    },
    "scheduling": {
        "nodeSelector": {"pool": "ml"},
        "tolerations": [
            {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": 60}
        ],
        "priorityClassName": "high",
    },
    "monitoring": {"enabled": True, "labels": {"prometheus": "main"}, "runbook_url": "https://runbooks"},
}
"""A value at every path that the chart knows."""


MODES: dict[str, Values] = {
    "plain": {},
    "Serverless": {"kserve": {"enabled": True, "deployment_mode": "Serverless"}},
}
RENDERED_BY_MODE = {"inference", "inference_services"}
"""What is in other objects in another mode; the rest needs to be tried in one only."""


SAMPLE = (None, "text", [], "1e3", "a: b #c")
MORE = pytest.mark.ci("more values of the chart")
FOREIGN = ("serving.kserve.io", "monitoring.coreos.com")
LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?")


class GoLoader(yaml.CSafeLoader):
    """Reads YAML as Kubernetes does, for which 1e3 is a number too."""


GoLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)$"), list("-+.0123456789")
)


def overlay(below: Any, above: Any) -> Any:
    """Return values as helm lays one file over another: maps are merged, all else is replaced."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return below | {key: overlay(below.get(key), value) for key, value in above.items()}


def places(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield each path below a value, maps and lists included, with what is there."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, below in items:
        yield (*place, key), below
        yield from places(below, (*place, key))


def changed(values: Values, tried: Iterable[Place], value: Any) -> Values:
    """Return a copy of the values that has another one in some places."""
    copied: Any = copy.deepcopy(values)
    for place in tried:
        inner = copied
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = copy.deepcopy(value)
    return dict(copied)


def is_named(place: Place, message: str) -> bool:
    """Tell whether a message has the path, as it is or in the words of helm's schema."""
    path, parent, last = ".".join(map(str, place)), ".".join(map(str, place[:-1])) or "(root)", place[-1]
    here = rf"(?<![\w.-]){re.escape(path)}(?=[.:\s])"
    above = rf"^- {re.escape(parent)}: (Additional property )?{last} "
    return re.search(f"{here}|{above}", message, re.MULTILINE) is not None


@functools.cache
def kserve_schema() -> jsonschema.Draft7Validator | None:
    return (
        jsonschema.Draft7Validator(json.loads(KSERVE_SCHEMA.read_text())) if KSERVE_SCHEMA.exists() else None
    )


@functools.cache
def fault(manifest: str) -> str | None:
    """Return what is wrong with one manifest, None if nothing is."""
    if "%!" in manifest or "<nil>" in manifest:
        return "a value is missing"
    document = yaml.load(manifest, GoLoader)  # noqa: S506 - a SafeLoader
    if document is None:
        return None
    labels = document["metadata"]["labels"].values()
    names = [document["metadata"]["name"], document["metadata"]["namespace"], *labels]
    if not all(isinstance(name, str) and len(name) <= 63 and LABEL.fullmatch(name) for name in names):
        return f"a name or a label: {names}"
    try:
        if document["kind"] == "InferenceService" and (schema := kserve_schema()) is not None:
            schema.validate(document)
        elif not document["apiVersion"].startswith(FOREIGN):
            kubernetes_validate.validate(document, "1.31", strict=True)
    except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as exc:
        return exc.message
    return None


def faults(rendered: str) -> list[str]:
    """Return what is wrong with what helm rendered."""
    return [
        found for manifest in re.split(r"^---$", rendered, flags=re.MULTILINE) if (found := fault(manifest))
    ]


def surprises(render: Render, values: Values, tried: Sequence[Place], value: Any) -> dict[str, Any]:
    """Return the paths at which helm makes of a value neither valid objects nor a message that has the path.

    All are tried at once, since a message of helm's schema has many paths; then those that it does not have.
    """
    if not tried:
        return {}
    answer = render(changed(values, tried, value))
    wrong = faults(answer.stdout) if answer.returncode == 0 else [answer.stderr]
    left = [place for place in tried if not is_named(place, answer.stderr)]
    if not wrong:
        return {}
    if len(left) < len(tried):
        return surprises(render, values, left, value)
    if len(tried) == 1:
        return {".".join(map(str, tried[0])): wrong}
    half = len(tried) // 2
    return surprises(render, values, tried[:half], value) | surprises(render, values, tried[half:], value)


@pytest.mark.parametrize("mode", MODES)
def test_every_value_is_tried(render: Render, mode: str) -> None:
    """What the values are changed from is valid, and has a value at each path of values.yaml."""
    values = overlay(overlay(DEFAULTS, FULL), MODES[mode])
    answer = render(values)
    assert answer.returncode == 0, answer.stderr
    assert faults(answer.stdout) == []
    assert {place for place, _ in places(DEFAULTS)} <= {place for place, _ in places(values)}


@pytest.mark.parametrize(
    ("value", "mode"),
    [
        pytest.param(value, mode, marks=() if mode == "plain" and value in SAMPLE else MORE)
        for value in (*WRONG_TYPES, *LOOK_LIKE_OTHERS)
        for mode in MODES
    ],
    ids=repr,
)
def test_c2_a_value_that_does_not_fit_is_refused_by_its_path(render: Render, mode: str, value: Any) -> None:
    """C2, C3: null, another type and odd text, at every path: also below the services and in lists.

    helm drops a key that is null, so what the templates read would be missing.
    """
    values = overlay(overlay(DEFAULTS, FULL), MODES[mode])
    by_depth: dict[int, list[Place]] = defaultdict(list)
    for place, given in places(values):
        fits = isinstance(given, str) if value in LOOK_LIKE_OTHERS else type(value) is not type(given)
        if fits and (mode == "plain" or place[0] in RENDERED_BY_MODE):
            by_depth[len(place)].append(place)
    found: dict[str, Any] = {}
    for tried in by_depth.values():
        found |= surprises(render, values, tried, value)
    assert found == {}


@pytest.mark.parametrize("mode", ["plain", pytest.param("Serverless", marks=MORE)])
@pytest.mark.parametrize("name", ["20261129", "true", "null", "1e3", "0x10", "on", "2026-11-29"])
def test_c3_names_that_look_like_something_else_stay_names(
    helm: Any, tmp_path: Path, name: str, mode: str
) -> None:
    """C3: a release, a namespace, a service and a dispatcher; a name that no Service can have is refused."""
    values = overlay(overlay(DEFAULTS, FULL), MODES[mode])
    for services in (values["inference_services"], values["dispatcher"]["dispatchers"]):
        services[name] = services.pop("rr")
    file = tmp_path / "values.yaml"
    file.write_text(json.dumps(values))
    if not name[0].isalpha():
        answer = helm("template", "revertrisk", str(CHART), "--values", str(file))
        assert f'inference_services: Property name of "{name}" does not match' in answer.stderr
        assert f'dispatcher.dispatchers: Property name of "{name}" does not match' in answer.stderr
        file.write_text(json.dumps(overlay(overlay(DEFAULTS, FULL), MODES[mode])))
    answer = helm("template", name, str(CHART), "--namespace", name, "--values", str(file))
    assert answer.returncode == 0, answer.stderr
    assert faults(answer.stdout) == []
    documents = [d for d in yaml.load_all(answer.stdout, GoLoader) if d]
    assert {document["metadata"]["namespace"] for document in documents} == {name}
    assert {d["metadata"]["labels"]["app.kubernetes.io/instance"] for d in documents} == {name}


@pytest.mark.parametrize(
    ("version", "app_version", "labelled"),
    [
        ("0.1.0+3f2a1b4c5d6e", "v1+2:dirty", ("revertrisk-0.1.0_3f2a1b4c5d6e", "v1_2_dirty")),
        (
            f"0.1.0-{'a' * 45}.{'b' * 90}",
            "sha256:" + "c" * 64,
            (f"revertrisk-0.1.0-{'a' * 45}", f"sha256_{'c' * 56}"),
        ),
        ("0.1.0", "+1+", ("revertrisk-0.1.0", "1")),
    ],
    ids=["build metadata", "long", "ends that a label may not have"],
)
@pytest.mark.parametrize("mode", MODES)
def test_c1_any_version_makes_labels(
    helm: Any, tmp_path: Path, version: str, app_version: str, labelled: tuple[str, str], mode: str
) -> None:
    """C1: Flux puts a commit after a +, and a version may be long; a label takes 63 letters, digits, dots, - and _."""
    file = tmp_path / "values.yaml"
    file.write_text(json.dumps(overlay(FULL, MODES[mode])))
    shutil.copytree(CHART, tmp_path / "chart")
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text()) | {
        "version": version,
        "appVersion": app_version,
    }
    (tmp_path / "chart" / "Chart.yaml").write_text(yaml.safe_dump(chart))
    answer = helm("template", "r" * 53, str(tmp_path / "chart"), "--values", str(file))
    assert answer.returncode == 0, answer.stderr
    assert faults(answer.stdout) == []
    for document in yaml.load_all(answer.stdout, GoLoader):
        if document:
            labels = document["metadata"]["labels"]
            assert (labels["helm.sh/chart"], labels["app.kubernetes.io/version"]) == labelled
