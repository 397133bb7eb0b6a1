"""What every deployment of the chart keeps to, whatever its values."""

from collections.abc import Iterator
from typing import Any

from model_server.settings import Settings

Manifest = dict[str, Any]


def pod_spec(manifest: Manifest) -> Manifest | None:
    """Return the pod that a manifest runs, None if it runs none."""
    spec: Manifest | None = None
    if manifest["kind"] == "InferenceService":
        spec = manifest["spec"]["predictor"]
    elif manifest["kind"] == "Deployment":
        spec = manifest["spec"]["template"]["spec"]
    return spec


def pods(manifests: list[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    for manifest in manifests:
        spec = pod_spec(manifest)
        if spec is not None:
            yield manifest, spec


def containers(manifests: list[Manifest]) -> Iterator[Manifest]:
    for _, spec in pods(manifests):
        yield from spec["containers"]
        yield from spec.get("initContainers", [])


def variables(container: Manifest) -> dict[str, str | None]:
    return {entry["name"]: entry.get("value") for entry in container.get("env", [])}


def role(manifest: Manifest) -> str:
    return str(manifest["metadata"]["labels"]["app.kubernetes.io/component"])


def test_nobody_is_root_or_may_become_it(rendered: list[Manifest], example: str) -> None:
    """Each container is an ordinary user without capabilities, on a root file system that it cannot write.

    C4: OpenShift's restricted-v2 gives it that user, and refuses one that is named.
    """
    user = None if "OpenShift" in example else 65532
    for _, spec in pods(rendered):
        if "securityContext" in spec:  # Knative refuses it
            assert {spec["securityContext"].get(f) for f in ("runAsUser", "runAsGroup", "fsGroup")} == {user}
            assert spec["securityContext"]["runAsNonRoot"] is True
    for container in containers(rendered):
        security = container["securityContext"]
        assert {security.get("runAsUser"), security.get("runAsGroup")} == {user}
        assert security["runAsNonRoot"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert "privileged" not in security


def test_pods_have_no_way_to_the_cluster(rendered: list[Manifest]) -> None:
    """No pod holds a service-account token or shares anything of its node.

    C5: nor has it variables that Kubernetes makes of Services: one that is named grpc would be our GRPC_PORT.
    """
    for _, spec in pods(rendered):
        assert spec["enableServiceLinks"] is False
        assert spec["automountServiceAccountToken"] is False
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        for volume in spec["volumes"]:
            assert volume.keys() - {"name"} <= {"emptyDir", "configMap", "persistentVolumeClaim", "secret"}


def test_images_have_a_version(rendered: list[Manifest]) -> None:
    """No image is whatever `latest` happens to be."""
    for container in containers(rendered):
        _, colon, tag = container["image"].rpartition(":")
        assert colon
        assert "/" not in tag
        assert tag != "latest"


def test_resources_are_bounded(rendered: list[Manifest]) -> None:
    """Each container asks for CPU and memory, and has limits of both; scratch space is bounded too."""
    for container in containers(rendered):
        for kind in ("requests", "limits"):
            assert container["resources"][kind].keys() >= {"cpu", "memory"}
    for _, spec in pods(rendered):
        for volume in spec["volumes"]:
            assert "emptyDir" not in volume or volume["emptyDir"]["sizeLimit"]


def test_probes_are_everywhere(rendered: list[Manifest]) -> None:
    """Each program says whether it is ready and whether it lives; servers by KServe's own paths."""
    for manifest, spec in pods(rendered):
        (container,) = spec["containers"]
        assert container.keys() >= {"readinessProbe", "livenessProbe"}
        if role(manifest) in {"producer", "scorer"}:
            assert container["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
            assert container["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"


def test_a_stopping_pod_has_the_time_it_needs(rendered: list[Manifest]) -> None:
    """The grace period is longer than preStop, the delay, and the longer of deadline and shutdown grace."""
    for manifest, spec in pods(rendered):
        if role(manifest) not in {"producer", "scorer"}:
            continue
        (container,) = spec["containers"]
        given = {name: float(value or 0) for name, value in variables(container).items() if name in TIMES}
        hook = (
            container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
        )
        needed = float(hook[1]) + given["SHUTDOWN_DELAY_SECONDS"]
        needed += max(given["SHUTDOWN_GRACE_SECONDS"], given["REQUEST_DEADLINE"])
        # In Serverless mode Knative makes the revision's timeout the grace period.
        grace = spec.get("terminationGracePeriodSeconds", spec.get("timeout"))
        assert grace is not None
        assert grace > needed


TIMES = {"SHUTDOWN_DELAY_SECONDS", "SHUTDOWN_GRACE_SECONDS", "REQUEST_DEADLINE"}


def test_readiness_is_seen_within_the_delay(rendered: list[Manifest]) -> None:
    """A server that drains is taken out of its endpoints before its listener closes."""
    for manifest, spec in pods(rendered):
        if role(manifest) in {"producer", "scorer"}:
            (container,) = spec["containers"]
            probe = container["readinessProbe"]
            delay = float(variables(container)["SHUTDOWN_DELAY_SECONDS"] or 0)
            assert probe["periodSeconds"] * probe["failureThreshold"] < delay


def test_s6_whoever_keeps_connections_closes_them_first(rendered: list[Manifest], example: str) -> None:
    """S6: Knative's queue-proxy closes an idle connection after 90 s, the Envoy of a gateway or mesh after an hour."""
    in_front = 90 if example == "production" else 3600
    assert Settings.model_fields["keep_alive_seconds"].default > 90
    for manifest, spec in pods(rendered):
        if role(manifest) in {"producer", "scorer"}:
            assert int(variables(spec["containers"][0])["KEEP_ALIVE_SECONDS"] or 0) > in_front


def test_only_producers_can_emit(rendered: list[Manifest]) -> None:
    """EVENTGATE_* is set on every producer and nowhere else, and no producer is lenient."""
    for manifest, spec in pods(rendered):
        for container in spec["containers"]:
            emission = {name for name in variables(container) if name.startswith("EVENTGATE_")}
            assert emission == (
                {"EVENTGATE_URL", "EVENTGATE_STREAM"} if role(manifest) == "producer" else set()
            )
            if role(manifest) == "producer":
                assert "LENIENT_EVENTS" not in variables(container)


def test_every_pod_is_under_a_network_policy(rendered: list[Manifest]) -> None:
    """Ingress and egress are closed for each pod but for what a policy opens."""
    policies = [manifest["spec"] for manifest in rendered if manifest["kind"] == "NetworkPolicy"]
    for manifest, spec in pods(rendered):
        labels = spec.get("labels") or manifest["spec"]["template"]["metadata"]["labels"]
        covering = [p for p in policies if p["podSelector"]["matchLabels"].items() <= labels.items()]
        assert covering
        assert all(policy["policyTypes"] == ["Ingress", "Egress"] for policy in covering)


def test_no_network_rule_opens_everything(rendered: list[Manifest]) -> None:
    """Each egress rule names where to and which ports; each ingress rule names from whom and which ports."""
    for manifest in rendered:
        if manifest["kind"] != "NetworkPolicy":
            continue
        for rule in manifest["spec"]["egress"] or []:
            assert rule["to"]
            assert rule["ports"]
            assert all(peer.get("ipBlock", {}).get("cidr") != "0.0.0.0/0" for peer in rule["to"])
        for rule in manifest["spec"]["ingress"] or []:
            assert rule["from"]
            assert rule["ports"]


def test_every_pod_reaches_the_dns_of_its_cluster(rendered: list[Manifest], example: str) -> None:
    """C5: kube-dns and NodeLocal DNSCache on port 53, or OpenShift's pods, which listen on 5353."""
    kubernetes = {(53, "UDP"), (53, "TCP")}, ["kube-system", "169.254.20.10/32"]
    openshift = {(5353, "UDP"), (5353, "TCP")}, ["openshift-dns"]
    for manifest in rendered:
        if manifest["kind"] == "NetworkPolicy" and role(manifest) != "mock":
            rule = manifest["spec"]["egress"][0]
            ports = {(port["port"], port["protocol"]) for port in rule["ports"]}
            to = [
                peer["ipBlock"]["cidr"]
                if "ipBlock" in peer
                else peer["namespaceSelector"]["matchLabels"][NAMESPACE]
                for peer in rule["to"]
            ]
            assert (ports, to) == (openshift if "OpenShift" in example else kubernetes)


NAMESPACE = "kubernetes.io/metadata.name"


def test_only_producers_reach_eventgate(rendered: list[Manifest], example: str) -> None:
    """The network agrees with the environment: a scorer could not post an event if it wanted to."""
    for manifest in rendered:
        if manifest["kind"] == "NetworkPolicy" and role(manifest) in {"producer", "scorer"}:
            ports = {port["port"] for rule in manifest["spec"]["egress"] for port in rule["ports"]}
            eventgate = 4480 if example.startswith("production") else 8192
            assert (eventgate in ports) == (role(manifest) == "producer")


def test_several_replicas_are_never_all_disrupted(rendered: list[Manifest]) -> None:
    """Each server has a disruption budget that lets a node be drained and keeps the others."""
    budgets = {
        manifest["metadata"]["name"]: manifest["spec"]["maxUnavailable"]
        for manifest in rendered
        if manifest["kind"] == "PodDisruptionBudget"
    }
    servers = {m["metadata"]["name"] for m, _ in pods(rendered) if role(m) in {"producer", "scorer"}}
    assert budgets == dict.fromkeys(servers, 1)


def test_the_dashboard_reaches_the_scorers(rendered: list[Manifest], example: str) -> None:
    """*Why* asks a scorer: the policies of both sides let it, where pods are reached and not a gateway."""
    peers = {"dashboard": ("scorer", "egress", "to"), "scorer": ("dashboard", "ingress", "from")}
    policies = [m for m in rendered if m["kind"] == "NetworkPolicy" and role(m) in peers]
    if {role(manifest) for manifest in policies} != peers.keys():
        return
    for manifest in policies:
        other, direction, side = peers[role(manifest)]
        found = [
            peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
            for rule in manifest["spec"][direction]
            for peer in rule[side]
            if "app.kubernetes.io/component" in peer.get("podSelector", {}).get("matchLabels", {})
        ]
        assert (other in found) == (example != "production")


def test_credentials_of_the_object_store_are_the_lakes_readers_and_writer_alone(
    rendered: list[Manifest],
) -> None:
    """No other program has the AWS_… of a lake."""
    for manifest, spec in pods(rendered):
        for container in spec["containers"]:
            if any(name.startswith("AWS_") for name in variables(container)):
                assert role(manifest) in {"lake", "dashboard"}
