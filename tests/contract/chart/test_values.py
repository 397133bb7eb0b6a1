"""Values that cannot work are refused before anything is deployed, by a message that names them."""

import copy
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_server.settings import REMOVED_SETTINGS, Settings
from revertrisk.lake.object_store import UNSAFE_VARIABLES
from revertrisk.streams.kafka_settings import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts" / "revertrisk"

Values = dict[str, Any]
Render = Callable[[Values], subprocess.CompletedProcess[str]]

SET_BY_THE_CHART = {"HTTP_PORT", "REQUEST_DEADLINE", "SHUTDOWN_DELAY_SECONDS", "SHUTDOWN_GRACE_SECONDS"}
"""The chart computes the pod's grace period from these, so they have values of their own."""

NETWORK = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE")
"""What every program that is not a server honours for its connections."""
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


BROKERS = {"name": "KAFKA_BOOTSTRAP_SERVERS", "value": "kafka:9093"}
FROM_KAFKA: Values = {
    "enabled": True,
    "source": "kafka:mediawiki.page_change.v1",
    "custom_env": [BROKERS],
    "dispatchers": {"rr": {"target": "http://rr", "rule": "revertrisk-language-agnostic.yaml"}},
}


LAKE: Values = {
    "enabled": True,
    "sources": ["eventstreams:mediawiki.page_change.v1"],
    "key_secret": "lake-key",
}
DASHBOARD: Values = {"enabled": True, "sources": ["eventstreams:mediawiki.page_change.v1"]}


CA = {"name": "KAFKA_SSL_CA_LOCATION", "value": "/etc/kafka/ca.crt"}
PROMETHEUS = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]


def with_config(service: Values, **config: int) -> Values:
    return service | {"predictor": service["predictor"] | {"config": config}}


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
            "dispatcher": FROM_KAFKA
            | {"dispatchers": {"rr": {"target": "http://rr", "rule": "rr.yaml", "rules": [{"name": "rr"}]}}}
        },
        ["dispatcher.dispatchers.rr"],
    ),
    "a dispatcher that cannot find Kafka": (
        {"dispatcher": FROM_KAFKA | {"custom_env": []}},
        ["dispatcher.custom_env", "KAFKA_BOOTSTRAP_SERVERS"],
    ),
    "a mistyped variable of the dispatcher": (
        {"dispatcher": FROM_KAFKA | {"custom_env": [BROKERS, {"name": "KAFKA_SASL_PASWORD", "value": "-"}]}},
        ["dispatcher.custom_env.1.name"],
    ),
    "dispatchers that would share a consumer group": (
        {
            "dispatcher": FROM_KAFKA
            | {
                "dispatchers": {
                    "rr": {"target": "http://rr", "rule": "revertrisk-multilingual.yaml"},
                    "shadow": {"target": "http://shadow", "rules": [{"name": "revertrisk-multilingual"}]},
                }
            }
        },
        ["dispatcher.dispatchers.shadow", "than those of rr"],
    ),
    "dispatchers that would share a file": (
        {"dispatcher": FROM_KAFKA | {"replicas": 2}},
        ["dispatcher.replicas", "dispatcher.dead_letters"],
    ),
    "a certificate that no Secret has": (
        {"dispatcher": FROM_KAFKA | {"custom_env": [BROKERS, CA]}},
        ["dispatcher.kafka_secret: expected", "KAFKA_SSL_CA_LOCATION in dispatcher.custom_env"],
    ),
    "a certificate that no Secret has, for the lake": (
        {"analytics": {"custom_env": [CA], "lake": LAKE}},
        ["analytics.kafka_secret: expected", "KAFKA_SSL_CA_LOCATION in analytics.custom_env"],
    ),
    "a password in the values": (
        {
            "dispatcher": FROM_KAFKA
            | {"custom_env": [BROKERS, {"name": "KAFKA_SASL_PASSWORD", "value": "secret"}]}
        },
        ["dispatcher.custom_env: expected KAFKA_SASL_PASSWORD with valueFrom"],
    ),
    "a key of the object store in the values": (
        {
            "analytics": {
                "lake": LAKE | {"custom_env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": "secret"}]}
            }
        },
        ["analytics.lake.custom_env: expected AWS_SECRET_ACCESS_KEY with valueFrom"],
    ),
    "a webhook for all analytics programs": (
        {
            "analytics": {
                "lake": LAKE,
                "custom_env": [{"name": "SURGE_WEBHOOK_URL", "value": "http://hook"}],
            }
        },
        ["analytics.custom_env: SURGE_WEBHOOK_URL", "analytics.surge.webhook_secret"],
    ),
    "metrics that Prometheus cannot reach": (
        one(PRODUCER) | {"monitoring": {"enabled": True}},
        ["networkpolicy.ingress.monitoring: expected the pods of Prometheus"],
    ),
    "a lake without its key": (
        {"analytics": {"lake": {"enabled": True, "sources": ["eventstreams:a"]}}},
        ["analytics.lake.key_secret"],
    ),
    "a lake without a source": (
        {"analytics": {"lake": {"enabled": True, "key_secret": "lake-key"}}},
        ["analytics.lake.sources"],
    ),
    "a lake in another kind of store": (
        {"analytics": {"lake": {"to": "gs://bucket/lake"}}},
        ["analytics.lake.to"],
    ),
    "a lake that cannot find Kafka": (
        {"analytics": {"lake": LAKE | {"sources": ["kafka:mediawiki.page_change.v1"]}}},
        ["analytics.custom_env", "KAFKA_BOOTSTRAP_SERVERS"],
    ),
    "alerts without a source": ({"analytics": {"surge": {"enabled": True}}}, ["analytics.surge.sources"]),
    "a page without a source": (
        {"analytics": {"dashboard": {"enabled": True}}},
        ["analytics.dashboard.sources"],
    ),
    "a way around conditional PUT": (
        {"analytics": {"custom_env": [{"name": "AWS_S3_ALLOW_UNSAFE_RENAME", "value": "true"}]}},
        ["analytics.custom_env.0.name"],
    ),
    "more pods at least than at most": (
        one(with_config(PRODUCER, minReplicas=4, maxReplicas=3)),
        ["inference_services.rr.predictor.config", "minReplicas (4)"],
    ),
    "no pod where none is started for a request": (
        one(with_config(PRODUCER, minReplicas=0)) | {"kserve": {"deployment_mode": "RawDeployment"}},
        ["inference_services.rr.predictor.config.minReplicas"],
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


@pytest.mark.parametrize("name", REMOVED_SETTINGS)
def test_a_removed_variable_is_refused_with_what_holds_instead(render: Render, name: str) -> None:
    """The server would only warn: an upgrade is the moment to take it out of the values."""
    answer = render(one(with_variable(PRODUCER, name, "1")))
    assert answer.returncode != 0
    said = f"inference_services.rr: {name} is no longer used, remove it from the environment: {REMOVED_SETTINGS[name]}"
    assert said in answer.stderr


@pytest.mark.parametrize("mode", ["Serverless", "RawDeployment", "plain"])
def test_the_same_services_run_in_every_mode(render: Render, mode: str) -> None:
    """A producer and a scorer render with KServe in both its modes, and without it."""
    kserve = {"enabled": False} if mode == "plain" else {"enabled": True, "deployment_mode": mode}
    answer = render({"kserve": kserve, "inference_services": {"rr": PRODUCER, "rr-public": SCORER}})
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("kind: InferenceService") == (0 if mode == "plain" else 2)
    assert answer.stdout.count("kind: HorizontalPodAutoscaler") == (2 if mode == "plain" else 0)


def test_annotations_reach_the_pods(render: Render) -> None:
    """What a mesh reads from pods is on them without KServe too; a service's own value wins over the shared one."""
    shared = {"inference": {"annotations": {"sidecar.istio.io/inject": "true", "example.org/a": "shared"}}}
    service = PRODUCER | {"annotations": {"example.org/a": "own"}}
    answer = render(one(service) | shared | {"kserve": {"enabled": False}})
    (deployment,) = (
        manifest
        for manifest in yaml.safe_load_all(answer.stdout)
        if manifest and manifest["kind"] == "Deployment"
    )
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"sidecar.istio.io/inject": "true", "example.org/a": "own"}


def test_server_and_chart_agree_on_the_environment() -> None:
    """Each of the server's settings can be given through the chart to the roles that it is for, and nothing else.

    A new setting goes into the lists of values.schema.json, or into SET_BY_THE_CHART with a value of its own. A
    removed one stays in the lists: the schema cannot say what holds instead.
    """
    settings = {name.upper() for name in Settings.model_fields} | REMOVED_SETTINGS.keys()
    definitions = json.loads((CHART / "values.schema.json").read_text())["definitions"]

    def variables(name: str) -> set[str]:
        return set(definitions[name]["items"]["allOf"][1]["properties"]["name"]["enum"])

    emission = {"EVENTGATE_URL", "EVENTGATE_STREAM"}
    emission |= {name for name in settings if name.startswith("EVENTGATE_")}
    assert variables("producer_environment") == settings - SET_BY_THE_CHART - {"LENIENT_EVENTS"}
    assert variables("scorer_environment") == settings - SET_BY_THE_CHART - emission
    assert variables("shared_environment") == settings - SET_BY_THE_CHART - emission - {"LENIENT_EVENTS"}


def test_dispatcher_and_chart_agree_on_the_environment() -> None:
    """Each variable that the dispatcher reads can be given through the chart, and nothing else."""
    definitions = json.loads((CHART / "values.schema.json").read_text())["definitions"]
    names = definitions["dispatcher_environment"]["items"]["allOf"][1]["properties"]["name"]["enum"]
    assert set(names) == {*ENVIRONMENT, *NETWORK, "LOG_FORMAT", "LOG_LEVEL"}
    documented = (ROOT / "docs" / "dispatcher.md").read_text()
    assert all(f"`{name}`" in documented for name in (*ENVIRONMENT, *NETWORK))


def test_files_for_the_server_are_mounted(render: Render) -> None:
    """A wiki table or certificates in a ConfigMap appear where WIKIS_FILE and TLS_CA_BUNDLE can name them."""
    service = with_variable(PRODUCER, "WIKIS_FILE", "/etc/revertrisk/wikis.tsv")
    service["predictor"]["files"] = "wikis-2"
    for mode in ({"enabled": False}, {"deployment_mode": "Serverless"}):
        answer = render(one(service) | {"kserve": mode})
        assert answer.returncode == 0, answer.stderr
        (pod,) = (
            manifest["spec"].get("predictor") or manifest["spec"]["template"]["spec"]
            for manifest in yaml.safe_load_all(answer.stdout)
            if manifest and manifest["kind"] in {"Deployment", "InferenceService"}
        )
        (volume,) = (volume for volume in pod["volumes"] if volume["name"] == "files")
        assert volume["configMap"] == {"name": "wikis-2"}
        mounts = {mount["name"]: mount for mount in pod["containers"][0]["volumeMounts"]}
        assert mounts["files"] == {"name": "files", "mountPath": "/etc/revertrisk", "readOnly": True}


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, {"--dead-letters=/var/lib/revertrisk/dead-letters.jsonl"}),
        (
            {"source": "eventstreams:mediawiki.page_change.v1", "custom_env": []},
            {
                "--dead-letters=/var/lib/revertrisk/dead-letters.jsonl",
                "--checkpoint=/var/lib/revertrisk/checkpoint.sqlite",
            },
        ),
        ({"dead_letters": "kafka:dead", "replicas": 3}, set[str]()),
    ],
    ids=["Kafka", "EventStreams", "Kafka for all"],
)
def test_what_a_dispatcher_remembers_outlives_its_pod(
    render: Render, changes: Values, kept: set[str]
) -> None:
    """Dead letters in a file, and the place in EventStreams, are on a volume; there is none where Kafka has both."""
    answer = render({"dispatcher": FROM_KAFKA | changes})
    assert answer.returncode == 0, answer.stderr
    manifests = [manifest for manifest in yaml.safe_load_all(answer.stdout) if manifest]
    (deployment,) = (manifest for manifest in manifests if manifest["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {argument for argument in container["args"] if "/var/lib" in argument} == kept
    claims = [manifest for manifest in manifests if manifest["kind"] == "PersistentVolumeClaim"]
    mounted = [mount for mount in container["volumeMounts"] if mount["mountPath"] == "/var/lib/revertrisk"]
    assert len(claims) == len(mounted) == bool(kept)
    assert deployment["spec"]["strategy"]["type"] == ("Recreate" if kept else "RollingUpdate")


def analytics(render: Render, values: Values) -> tuple[list[Values], dict[str, Values]]:
    """Return all manifests, and the pods of the analytics programs by their names."""
    answer = render({"analytics": values})
    assert answer.returncode == 0, answer.stderr
    manifests = [manifest for manifest in yaml.safe_load_all(answer.stdout) if manifest]
    deployments = {m["metadata"]["name"]: m for m in manifests if m["kind"] == "Deployment"}
    for deployment in deployments.values():
        assert deployment["spec"]["replicas"] == 1
        assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    return manifests, {name: each["spec"]["template"]["spec"] for name, each in deployments.items()}


def test_the_lake_is_on_a_volume_and_its_key_is_not(render: Render) -> None:
    """The lake is a folder of a claim that outlives the release; its key is a file of the Secret, for its user only."""
    manifests, pods = analytics(render, {"lake": LAKE})
    assert pods.keys() == {"lake"}
    (claim,) = (manifest for manifest in manifests if manifest["kind"] == "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    (container,) = pods["lake"]["containers"]
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pods["lake"]["volumes"]}
    assert f"--to={mounts['state']['mountPath']}/lake" in container["args"]
    assert volumes["state"]["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    assert "--keep-files-hours=6" in container["args"]
    assert f"--key-file={mounts['key']['mountPath']}/key" in container["args"]
    assert mounts["key"]["readOnly"] is True
    assert volumes["key"]["secret"]["secretName"] == "lake-key"
    assert volumes["key"]["secret"]["defaultMode"] & 0o007 == 0


def test_the_dashboard_reads_the_volume_where_its_writer_runs(render: Render) -> None:
    """A volume is mounted on one node: the dashboard has to run there, and a new writer prefers to; it only reads."""
    _, pods = analytics(render, {"lake": LAKE, "dashboard": DASHBOARD})
    (container,) = pods["dashboard"]["containers"]
    assert "--lake=/var/lib/revertrisk/lake" in container["args"]
    assert {"name": "state", "mountPath": "/var/lib/revertrisk", "readOnly": True} in container[
        "volumeMounts"
    ]
    (needed,) = pods["dashboard"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (preferred,) = pods["lake"]["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    for term, name in ((needed, "lake"), (preferred["podAffinityTerm"], "dashboard")):
        assert term["topologyKey"] == "kubernetes.io/hostname"
        assert term["labelSelector"]["matchLabels"]["app.kubernetes.io/name"] == name


def test_a_lake_in_an_object_store_needs_no_volume_and_no_node(render: Render) -> None:
    """Writer and dashboard name the same address, and run anywhere."""
    at = "s3://revertrisk/lake"
    manifests, pods = analytics(render, {"lake": LAKE | {"to": at}, "dashboard": DASHBOARD})
    assert not [manifest for manifest in manifests if manifest["kind"] == "PersistentVolumeClaim"]
    assert f"--to={at}" in pods["lake"]["containers"][0]["args"]
    assert f"--lake={at}" in pods["dashboard"]["containers"][0]["args"]
    assert all("affinity" not in pod for pod in pods.values())
    assert all("state" not in {volume["name"] for volume in pod["volumes"]} for pod in pods.values())


def test_a_dashboard_without_a_lake_has_no_charts(render: Render) -> None:
    """It shows what is to be looked at, from the streams alone."""
    _, pods = analytics(render, {"dashboard": DASHBOARD})
    assert not [argument for argument in pods["dashboard"]["containers"][0]["args"] if "--lake" in argument]


def test_slacks_webhook_is_a_secret(render: Render) -> None:
    """It is in the environment by reference, and its state on a volume; without one there is no variable."""
    surge = {"enabled": True, "sources": ["eventstreams:mediawiki.page_change.v1"]}
    _, pods = analytics(render, {"surge": surge})
    assert "env" not in pods["surge"]["containers"][0]
    _, pods = analytics(render, {"surge": surge | {"slack_secret": "slack"}})
    (container,) = pods["surge"]["containers"]
    assert container["env"] == [
        {"name": "SLACK_WEBHOOK_URL", "valueFrom": {"secretKeyRef": {"name": "slack", "key": "url"}}}
    ]
    (state,) = (mount for mount in container["volumeMounts"] if mount["name"] == "state")
    assert f"--state={state['mountPath']}/surge.sqlite" in container["args"]


def test_any_webhook_is_a_secret_of_surge_alone(render: Render) -> None:
    """Its address often contains a token, so the lake and the dashboard do not get it."""
    surge = {
        "enabled": True,
        "sources": ["eventstreams:mediawiki.page_change.v1"],
        "webhook_secret": "hook",
    }
    _, pods = analytics(render, {"surge": surge, "lake": LAKE, "dashboard": DASHBOARD})
    of_each = {name: pod["containers"][0].get("env", []) for name, pod in pods.items()}
    assert of_each == {
        "surge": [
            {"name": "SURGE_WEBHOOK_URL", "valueFrom": {"secretKeyRef": {"name": "hook", "key": "url"}}}
        ],
        "lake": [],
        "dashboard": [],
    }


def test_every_pod_runs_where_the_values_say(render: Render) -> None:
    """Nodes are selected for all pods in one place, with KServe and without."""
    scheduling = {
        "nodeSelector": {"pool": "ml"},
        "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
        "priorityClassName": "high",
    }
    surge = {"enabled": True, "sources": ["eventstreams:mediawiki.page_change.v1"]}
    found = set()
    for enabled in (True, False):
        answer = render(
            one(PRODUCER)
            | {
                "scheduling": scheduling,
                "kserve": {"enabled": enabled},
                "dispatcher": FROM_KAFKA,
                "analytics": {"lake": LAKE, "surge": surge, "dashboard": DASHBOARD},
                "mocks": {"enabled": True},
            }
        )
        assert answer.returncode == 0, answer.stderr
        for manifest in filter(None, yaml.safe_load_all(answer.stdout)):
            if manifest["kind"] == "InferenceService":
                spec = manifest["spec"]["predictor"]
            elif manifest["kind"] == "Deployment":
                spec = manifest["spec"]["template"]["spec"]
            else:
                continue
            assert {name: spec[name] for name in scheduling} == scheduling
            found.add((manifest["kind"], manifest["metadata"]["labels"]["app.kubernetes.io/component"]))
    roles = {"producer", "dispatcher", "lake", "surge", "dashboard", "mock"}
    assert found == {("InferenceService", "producer"), *(("Deployment", role) for role in roles)}


def test_a_pager_gets_an_address(render: Render) -> None:
    """Each alert links its section of the runbooks, at the address that the values give."""
    at = "https://docs.example.org/operations.html"
    answer = render(
        {
            "monitoring": {"enabled": True, "runbook_url": at},
            "networkpolicy": {"ingress": {"monitoring": PROMETHEUS}},
        }
    )
    assert answer.returncode == 0, answer.stderr
    (rules,) = (m for m in yaml.safe_load_all(answer.stdout) if m and m["kind"] == "PrometheusRule")
    alerts = [rule for group in rules["spec"]["groups"] for rule in group["rules"] if "alert" in rule]
    assert alerts
    for alert in alerts:
        assert alert["annotations"]["runbook"] == f"{at}#{alert['alert'].lower()}"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (one(PRODUCER), "networkpolicy.egress.eventgate is empty: rr cannot reach EventGate"),
        (one(SCORER), "networkpolicy.egress.mediawiki is empty: rr cannot reach MediaWiki"),
        ({"analytics": {"dashboard": DASHBOARD}}, "networkpolicy.egress.source is empty"),
    ],
)
def test_helm_says_what_the_policy_cuts_off(helm: Any, tmp_path: Path, values: Values, said: str) -> None:
    """Nothing is listed by default, so a release without these lists would only answer 503."""
    path, chart = tmp_path / "values.yaml", tmp_path / "chart"
    path.write_text(json.dumps(values))
    # Without a cluster helm shows no notes, so here they are rendered as a manifest.
    shutil.copytree(CHART, chart)
    (chart / "templates" / "NOTES.txt").rename(chart / "notes.txt")
    (chart / "templates" / "notes.yaml").write_text(
        'notes: |\n  {{- tpl (.Files.Get "notes.txt") . | nindent 2 }}\n'
    )
    answer = helm("template", "revertrisk", str(chart), "--values", str(path))
    assert answer.returncode == 0, answer.stderr
    (notes,) = (m["notes"] for m in yaml.safe_load_all(answer.stdout) if m and "notes" in m)
    assert said in notes
    assert ("eventgate" in said) == ("eventgate is empty" in notes)


def test_analytics_and_chart_agree_on_the_environment() -> None:
    """What reaches Kafka, the object store and a webhook can be given; what would make commits unsafe cannot."""
    definitions = json.loads((CHART / "values.schema.json").read_text())["definitions"]
    names, store = (
        set(definitions[f"{each}_environment"]["items"]["allOf"][1]["properties"]["name"]["enum"])
        for each in ("analytics", "object_store")
    )
    assert all(name.startswith("AWS_") for name in store)
    # SURGE_WEBHOOK_URL is refused by a template, whose message names the value for it.
    assert names == {*ENVIRONMENT, *NETWORK, "SURGE_WEBHOOK_URL", "LOG_FORMAT", "LOG_LEVEL"}
    documented = (ROOT / "docs" / "lake.md").read_text()
    assert all(f"`{name}`" in documented for name in store)
    operations = (ROOT / "docs" / "operations.md").read_text()
    assert all(f"`{name}`" in operations for name in NETWORK)
    assert not store & set(UNSAFE_VARIABLES)


def test_every_variable_that_the_chart_sets_is_documented(rendered: list[Values]) -> None:
    """A rendered server's environment holds only what docs/configuration.md explains."""
    documented = (ROOT / "docs" / "configuration.md").read_text()
    for manifest in rendered:
        if manifest["metadata"]["labels"]["app.kubernetes.io/component"] in {"producer", "scorer"}:
            spec = manifest["spec"].get("predictor") or manifest["spec"].get("template", {}).get("spec", {})
            for container in spec.get("containers", []):
                for entry in container["env"]:
                    assert f"| `{entry['name']}` |" in documented
