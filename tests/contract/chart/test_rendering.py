"""What helm makes of the chart is what Kubernetes and KServe take."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts" / "revertrisk"
KSERVE_SCHEMA = ROOT.parent / "shared" / "kserve_crd" / "inferenceservice.v1beta1.schema.json"
KUBERNETES = ("1.25", "1.31", "1.37")
"""The oldest that Chart.yaml allows, one between, the newest that has schemas."""
FOREIGN = ("serving.kserve.io", "monitoring.coreos.com")


def test_lint_is_strict_and_content(helm: Any, example_values: list[str]) -> None:
    """helm lint --strict passes for every example."""
    answer = helm("lint", "--strict", str(CHART), *example_values)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_lint_of_the_bare_chart(helm: Any) -> None:
    """The defaults render too: they deploy nothing."""
    assert helm("lint", "--strict", str(CHART)).returncode == 0


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_every_manifest(rendered: list[dict[str, Any]], version: str) -> None:
    """Each manifest of Kubernetes' own kinds is valid, with no field that Kubernetes does not know."""
    own = [manifest for manifest in rendered if not manifest["apiVersion"].startswith(FOREIGN)]
    assert own
    for manifest in own:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_kserve_takes_every_inference_service(rendered: list[dict[str, Any]], example: str) -> None:
    """Each InferenceService is valid against KServe's own schema, which allows no unknown field."""
    if not KSERVE_SCHEMA.exists():
        pytest.skip(f"{KSERVE_SCHEMA} is not there: no schema of KServe to validate against")
    validator = jsonschema.Draft7Validator(json.loads(KSERVE_SCHEMA.read_text()))
    services = [manifest for manifest in rendered if manifest["kind"] == "InferenceService"]
    assert bool(services) == (example in {"staging", "staging on OpenShift", "production"})
    for service in services:
        assert [error.message for error in validator.iter_errors(service)] == []


def test_nothing_of_knative_is_refused(rendered: list[dict[str, Any]]) -> None:
    """Knative refuses fields that KServe's schema allows, so in Serverless mode they are not there."""
    for manifest in rendered:
        annotations = manifest["metadata"].get("annotations", {})
        if annotations.get("serving.kserve.io/deploymentMode") != "Serverless":
            continue
        predictor = manifest["spec"]["predictor"]
        assert not predictor.keys() & {
            "terminationGracePeriodSeconds",
            "securityContext",
            "initContainers",
            "topologySpreadConstraints",
        }
        assert not predictor["containers"][0].keys() & {"lifecycle", "startupProbe"}


def test_names_are_unique(rendered: list[dict[str, Any]]) -> None:
    """No two manifests fight over one object."""
    names = [
        (manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]) for manifest in rendered
    ]
    assert len(names) == len(set(names))


def test_what_selects_pods_selects_some(rendered: list[dict[str, Any]]) -> None:
    """Every Service, budget and network policy selects pods of this release."""
    pods = [labels for manifest in rendered if (labels := pod_labels(manifest)) is not None]
    for manifest in rendered:
        selector = {
            "Service": lambda spec: spec["selector"],
            "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
            "NetworkPolicy": lambda spec: spec["podSelector"]["matchLabels"],
        }.get(manifest["kind"])
        if selector is not None:
            wanted = selector(manifest["spec"]).items()
            assert any(wanted <= labels.items() for labels in pods), manifest["metadata"]["name"]


def test_a_service_monitor_finds_every_program_with_metrics(rendered: list[dict[str, Any]]) -> None:
    """Each program but mocks and dashboard has a port named metrics, behind labels that become the alerts' labels."""
    monitors = [manifest for manifest in rendered if manifest["kind"] == "ServiceMonitor"]
    if not monitors:
        return
    (monitor,) = monitors
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    scraped = {
        manifest["metadata"]["labels"]["app.kubernetes.io/name"]
        for manifest in rendered
        if manifest["kind"] == "Service"
        and wanted <= manifest["metadata"]["labels"].items()
        and manifest["spec"]["ports"][0]["name"] == monitor["spec"]["endpoints"][0]["port"]
    }
    programs = {
        labels["app.kubernetes.io/name"]
        for manifest in rendered
        if (labels := pod_labels(manifest)) is not None
        and labels["app.kubernetes.io/component"] not in {"mock", "dashboard"}
    }
    assert scraped == programs


def test_the_grafana_dashboard_is_json(rendered: list[dict[str, Any]]) -> None:
    """What the dashboard's sidecar loads can be loaded."""
    for manifest in rendered:
        if manifest["metadata"]["labels"].get("grafana_dashboard"):
            assert json.loads(manifest["data"]["revertrisk.json"])["panels"]


def pod_labels(manifest: dict[str, Any]) -> dict[str, str] | None:
    """Return the labels of a workload's pods, None for what has no pods."""
    labels: dict[str, str] | None = None
    if manifest["kind"] == "InferenceService":
        labels = manifest["spec"]["predictor"]["labels"]
    elif manifest["kind"] == "Deployment":
        labels = manifest["spec"]["template"]["metadata"]["labels"]
    return labels
