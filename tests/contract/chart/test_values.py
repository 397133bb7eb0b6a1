"""Values that cannot work are refused before anything is deployed, by a message that names them."""

import copy
import json
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_server.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts" / "revertrisk"

Values = dict[str, Any]
Render = Callable[[Values], subprocess.CompletedProcess[str]]

SET_BY_THE_CHART = {"HTTP_PORT", "REQUEST_DEADLINE", "SHUTDOWN_DELAY_SECONDS", "SHUTDOWN_GRACE_SECONDS"}
"""The chart computes the pod's grace period from these, so they have values of their own."""

PRODUCER: Values = {
    "role": "producer",
    "predictor": {
        "custom_env": [
            {"name": "MODEL_NAME", "value": "revertrisk-language-agnostic"},
            {"name": "EVENTGATE_URL", "value": "http://eventgate:8192"},
            {"name": "EVENTGATE_STREAM", "value": "mediawiki.page_revert_risk_prediction_change.v1"},
        ]
    },
}
SCORER: Values = {"role": "scorer", "predictor": {"custom_env": PRODUCER["predictor"]["custom_env"][:1]}}


def with_variable(service: Values, name: str, value: Any) -> Values:
    changed = copy.deepcopy(service)
    changed["predictor"]["custom_env"].append({"name": name, "value": value})
    return changed


def one(service: Values) -> Values:
    return {"inference_services": {"rr": service}}


OTHER_MODEL = {
    **PRODUCER,
    "predictor": {
        "custom_env": [
            {"name": "MODEL_NAME", "value": "revertrisk-multilingual"},
            *PRODUCER["predictor"]["custom_env"][1:],
        ]
    },
}
WRONG = {
    "a mistyped key": ({"kserv": {"enabled": True}}, ["kserv"]),
    "a mistyped key inside": ({"kserve": {"enable": True}}, ["kserve", "enable"]),
    "a mistyped key of a service": (one(PRODUCER | {"replicas": 3}), ["inference_services.rr", "replicas"]),
    "a mistyped variable": (
        one(with_variable(PRODUCER, "WIKI_ULR", "http://wiki")),
        ["inference_services.rr.predictor.custom_env.3.name"],
    ),
    "a wrong type": (
        {"inference": {"request_deadline_seconds": "20s"}},
        ["request_deadline_seconds", "integer"],
    ),
    "a number where the environment has text": (
        one(with_variable(PRODUCER, "QUEUE_LIMIT", 100)),
        ["custom_env.3.value", "string"],
    ),
    "no role": (one({"predictor": {}}), ["inference_services.rr", "role"]),
    "an unknown role": (one(PRODUCER | {"role": "reader"}), ["inference_services.rr.role"]),
    "the latest image": ({"inference": {"predictor": {"image_version": "latest"}}}, ["image_version"]),
    "a lenient producer": (
        one(with_variable(PRODUCER, "LENIENT_EVENTS", "true")),
        ["inference_services.rr.predictor.custom_env.3.name"],
    ),
    "producers made lenient for all": (
        {"inference": {"predictor": {"base_env": [{"name": "LENIENT_EVENTS", "value": "true"}]}}},
        ["inference.predictor.base_env.0.name"],
    ),
    "a scorer that emits": (
        one(PRODUCER | {"role": "scorer"}),
        ["inference_services.rr.predictor.custom_env.1.name"],
    ),
    "everybody emits": (
        {"inference": {"predictor": {"base_env": [{"name": "EVENTGATE_URL", "value": "http://eventgate"}]}}},
        ["inference.predictor.base_env.0.name"],
    ),
    "a producer without a gate": (
        one(SCORER | {"role": "producer"}),
        ["inference_services.rr", "EVENTGATE_URL"],
    ),
    "no model": (
        one({"role": "scorer", "predictor": {"custom_env": []}}),
        ["inference_services.rr", "MODEL_NAME"],
    ),
    "two models on one stream": (
        {"inference_services": {"a": PRODUCER, "b": OTHER_MODEL}},
        ["inference_services.b", "mediawiki.page_revert_risk_prediction_change.v1"],
    ),
    "a grace shorter than a request": (
        one(PRODUCER) | {"inference": {"shutdown": {"grace_seconds": 10}}},
        ["inference.shutdown.grace_seconds"],
    ),
    "egress to everywhere": (
        {"networkpolicy": {"egress": {"mediawiki": [{"ports": [{"port": 443}]}]}}},
        ["networkpolicy.egress.mediawiki.0", "to"],
    ),
    "a dispatcher without a source": (
        {"dispatcher": {"enabled": True, "dispatchers": {"rr": {"target": "http://rr", "rule": "rr.yaml"}}}},
        ["dispatcher.source"],
    ),
    "a dispatcher with two kinds of rules": (
        {
            "dispatcher": {
                "enabled": True,
                "source": "kafka:mediawiki.page_change.v1",
                "dispatchers": {"rr": {"target": "http://rr", "rule": "rr.yaml", "rules": [{"name": "rr"}]}},
            }
        },
        ["dispatcher.dispatchers.rr"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_work_is_refused_by_name(render: Render, case: str) -> None:
    """helm stops, and the message has the path of the value."""
    values, named = WRONG[case]
    answer = render(values)
    assert answer.returncode != 0
    for part in named:
        assert part in answer.stderr


@pytest.mark.parametrize("mode", ["Serverless", "RawDeployment", "plain"])
def test_the_same_services_run_in_every_mode(render: Render, mode: str) -> None:
    """A producer and a scorer render with KServe in both its modes, and without it."""
    kserve = {"enabled": False} if mode == "plain" else {"enabled": True, "deployment_mode": mode}
    answer = render({"kserve": kserve, "inference_services": {"rr": PRODUCER, "rr-public": SCORER}})
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("kind: InferenceService") == (0 if mode == "plain" else 2)
    assert answer.stdout.count("kind: HorizontalPodAutoscaler") == (2 if mode == "plain" else 0)


def test_server_and_chart_agree_on_the_environment() -> None:
    """Each of the server's settings can be given through the chart to the roles that it is for, and nothing else.

    A new setting goes into the lists of values.schema.json, or into SET_BY_THE_CHART with a value of its own.
    """
    settings = {name.upper() for name in Settings.model_fields}
    definitions = json.loads((CHART / "values.schema.json").read_text())["definitions"]

    def variables(name: str) -> set[str]:
        return set(definitions[name]["items"]["allOf"][1]["properties"]["name"]["enum"])

    emission = {"EVENTGATE_URL", "EVENTGATE_STREAM"}
    emission |= {name for name in settings if name.startswith("EVENTGATE_")}
    assert variables("producer_environment") == settings - SET_BY_THE_CHART - {"LENIENT_EVENTS"}
    assert variables("scorer_environment") == settings - SET_BY_THE_CHART - emission
    assert variables("shared_environment") == settings - SET_BY_THE_CHART - emission - {"LENIENT_EVENTS"}


def test_every_variable_that_the_chart_sets_is_documented(rendered: list[Values]) -> None:
    """A rendered server's environment holds only what docs/configuration.md explains."""
    documented = (ROOT / "docs" / "configuration.md").read_text()
    for manifest in rendered:
        if manifest["metadata"]["labels"]["app.kubernetes.io/component"] in {"producer", "scorer"}:
            spec = manifest["spec"].get("predictor") or manifest["spec"].get("template", {}).get("spec", {})
            for container in spec.get("containers", []):
                for entry in container["env"]:
                    assert f"| `{entry['name']}` |" in documented


def test_chart_and_package_have_one_version() -> None:
    """The images that the chart asks for by default are those of this version of the project."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == version
    for image in (values["inference"]["predictor"], values["dispatcher"], values["mocks"]):
        assert image["image_version"] == version
