"""The examples that are not values: manifests of their own, beside a release of the chart."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import typer.main
import yaml

from revertrisk.cli.app import app
from revertrisk.dispatcher.rule_language.rule_file import load_rules
from revertrisk.streams.kafka_settings import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "charts" / "revertrisk" / "examples"
RULES_IN_THE_IMAGE = "/srv/revertrisk/rules/"


def read(name: str) -> dict[str, Any]:
    """Return the one manifest of an example."""
    (manifest,) = yaml.safe_load_all((EXAMPLES / "manifests" / name).read_text())
    assert isinstance(manifest, dict)
    return manifest


def test_the_authorization_policy_covers_every_producer() -> None:
    """Each producer of the production example, by both its hosts, and no scorer, is the dispatcher's alone."""
    policy = read("authorization-policy.yaml")
    assert policy["spec"]["action"] == "DENY"
    (rule,) = policy["spec"]["rules"]
    (source,), (operation,) = rule["from"], rule["to"]
    assert source["source"].keys() == {"notPrincipals"}
    services = yaml.safe_load((EXAMPLES / "values" / "production.yaml").read_text())["inference_services"]
    producers = {name for name, service in services.items() if service["role"] == "producer"}
    hosts = operation["operation"]["hosts"]
    assert {host.split(".")[0] for host in hosts} == producers | {f"{name}-predictor" for name in producers}
    for host in hosts:
        assert host.endswith(":*") or f"{host}:*" in hosts


def test_kubernetes_takes_the_redrive_job() -> None:
    """The job is valid, with no field that Kubernetes does not know."""
    kubernetes_validate.validate(read("redrive-job.yaml"), "1.31", strict=True)


def test_the_redrive_job_starts_a_program_of_ours() -> None:
    """Its flags are those of the command, all needed ones among them; its rule and its variables exist."""
    (container,) = read("redrive-job.yaml")["spec"]["template"]["spec"]["containers"]
    command, *flags = container["args"]
    parameters = typer.main.get_command(app).commands[command].params  # type: ignore[attr-defined]  # a group
    given = dict(flag.split("=", 1) for flag in flags)
    assert given.keys() <= {option for parameter in parameters for option in parameter.opts}
    for parameter in parameters:
        assert not parameter.required or set(parameter.opts) & given.keys()
    rule = ROOT / "revertrisk" / "dispatcher" / "rules" / given["--rule"].removeprefix(RULES_IN_THE_IMAGE)
    assert load_rules(rule, target=given["--target"])
    assert {entry["name"] for entry in container["env"]} <= set(ENVIRONMENT)


def test_c6_values_and_manifests_have_a_folder_each() -> None:
    """C6: what is in values/ helm takes, what is in manifests/ kubectl takes."""
    assert {path.name for path in EXAMPLES.iterdir()} == {"values", "manifests"}
    for file in EXAMPLES.glob("*/*.yaml"):
        assert ("kind" in yaml.safe_load(file.read_text())) == (file.parent.name == "manifests")


def test_the_redrive_job_has_no_more_rights_than_the_dispatcher(
    rendered: list[dict[str, Any]], example: str
) -> None:
    """It is an ordinary user on a root file system that it cannot write, under the dispatcher's network policy."""
    job = read("redrive-job.yaml")
    pod = job["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    labels = pod["metadata"]["labels"]
    for manifest in rendered:
        if manifest["metadata"]["labels"]["app.kubernetes.io/component"] != "dispatcher":
            continue
        if manifest["kind"] == "NetworkPolicy":
            assert manifest["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
        elif manifest["kind"] == "Deployment":
            spec = manifest["spec"]["template"]["spec"]
            if "OpenShift" not in example:
                assert container["securityContext"] == spec["containers"][0]["securityContext"]
            for field in ("automountServiceAccountToken", "enableServiceLinks"):
                assert pod["spec"][field] is spec[field] is False
            assert not manifest["spec"]["selector"]["matchLabels"].items() <= labels.items()
