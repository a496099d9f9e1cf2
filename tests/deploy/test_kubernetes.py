"""Manifests: as they were found good, as kustomize builds them, and what stands in none of them."""

import json
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from siklus.deploy.cluster.naming import LONGEST, cluster_name
from siklus.deploy.drafts import LIST
from siklus.monitor.prometheus import LABELS
from siklus.project.file import read_project
from siklus.project.notify import Mail
from tests.architecture.source import ROOT
from tests.deploy.clusters import (
    FULL,
    OVERLAYS,
    built,
    cluster_project,
    containers,
    manifests,
    only,
    pods,
)
from tests.deploy.programs import check, program
from tests.deploy.projects import HEAD, deployed

GOLDEN = ROOT / "tests" / "deploy" / "golden" / "kubernetes"
OURS = {"ServiceMonitor", "PrometheusRule"}  # the Prometheus Operator's, whose shapes no validator here knows
# What it adds to each target; whatever is counted under such a name would be called exported_NAME.
OPERATORS_LABELS = {"namespace", "service", "pod", "container", "endpoint", "job", "instance"}
OLDEST = "1.30"  # of Kubernetes, for which they are said to be
DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")  # RFC 1035, of a Service


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manifests(tmp_path_factory.mktemp("full"), FULL)


@pytest.fixture(scope="module")
def overlays(full: Path) -> dict[str, list[dict[str, Any]]]:
    return {name: built(full / "overlays" / name) for name in OVERLAYS}


def texts(directory: Path) -> dict[str, str]:
    found = (path for path in directory.rglob("*") if path.is_file() and path.name != LIST)
    return {str(path.relative_to(directory)): path.read_text(encoding="utf-8") for path in found}


def test_the_files_are_those_that_were_read_and_found_good(full: Path) -> None:
    """Where they are meant to change: python -m tests.deploy.golden_kubernetes, and read what changed."""
    assert texts(full) == texts(GOLDEN)


def test_every_manifest_is_one_that_kubernetes_knows(overlays: dict[str, list[dict[str, Any]]]) -> None:
    whole = {json.dumps(each): each for found in overlays.values() for each in found}
    known = [each for each in whole.values() if each["kind"] not in OURS]
    assert len({each["kind"] for each in known}) >= 9
    for each in known:
        kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)
    for each in {each["kind"]: each for each in known}.values():
        kubernetes_validate.validate(each, OLDEST, strict=True)


def with_training(directory: Path) -> list[dict[str, Any]]:
    """Production, with the component that it has behind a `#`."""
    file = directory / "overlays" / "production" / "kustomization.yaml"
    taken_in = file.read_text().replace(
        "  # - ../../components/retraining", "  - ../../components/retraining"
    )
    file.write_text(taken_in)
    return built(file.parent)


def test_a_training_of_its_own_may_be_taken_in(tmp_path: Path) -> None:
    found = with_training(manifests(tmp_path, FULL))
    job = only(found, "CronJob")
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
    [loop, job_pod] = [pods(found)[name] for name in ("flights-loop", "flights-training")]
    assert (
        loop["containers"][0]["image"] == job_pod["containers"][0]["image"] == "ghcr.io/acme/flights-loop:1"
    )
    assert job_pod["containers"][0]["envFrom"] == loop["containers"][0]["envFrom"]


def test_whatever_trains_reaches_its_rows_and_signs(tmp_path: Path) -> None:
    more = '[sign]\nkey = "keys/release"\npassword_file = "keys/password"\n'
    folder = cluster_project(tmp_path, more)
    file = folder / "siklus.toml"
    rows = 'url = "mysql://reader@rows.example.com/flights"\nquery = "SELECT * FROM flights"'
    file.write_text(file.read_text().replace('path = "flights.csv"', rows))
    found = with_training(deployed(folder, "kubernetes"))
    made = pods(found)
    for name in ("flights-loop", "flights-training"):
        [container] = made[name]["containers"]
        variables = {each["name"]: each for each in container["env"]}
        assert variables["SIKLUS_DATA__URL"]["valueFrom"]["secretKeyRef"] == {
            "name": "flights-secrets",
            "key": "data-url",
            "optional": True,
        }
        assert variables["SIKLUS_SIGN__KEY"]["value"] == "/srv/secrets/sign-key"
        assert variables["SIKLUS_SIGN__PASSWORD_FILE"]["value"] == "/srv/secrets/sign-password"
        assert "/srv/secrets" in {each["mountPath"] for each in container["volumeMounts"]}
        [volume] = [each["secret"] for each in made[name]["volumes"] if "secret" in each]
        assert [each["path"] for each in volume["items"]] == ["sign-key", "sign-password"]
        egress = only(found, "NetworkPolicy", name)["spec"]["egress"]
        assert 3306 in {each["ports"][0]["port"] for each in egress if "to" not in each}


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_are_restricted_as_their_namespace_asks(
    name: str, overlays: dict[str, list[dict[str, Any]]]
) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, and a little more."""
    labels = only(overlays[name], "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in pods(overlays[name]).values():
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert {kind for volume in pod["volumes"] for kind in volume if kind != "name"} <= {
            "configMap",
            "emptyDir",
            "persistentVolumeClaim",
            "secret",
        }
        for each in containers(pod):
            assert each["securityContext"]["allowPrivilegeEscalation"] is False
            assert each["securityContext"]["readOnlyRootFilesystem"] is True
            assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert each["resources"]["limits"]["memory"]
            mounted = {mount["name"] for mount in each["volumeMounts"]}
            assert mounted <= {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize("name", OVERLAYS)
def test_whatever_a_pod_refers_to_is_there(name: str, overlays: dict[str, list[dict[str, Any]]]) -> None:
    made = {(each["kind"], each["metadata"]["name"]) for each in overlays[name]}
    made.add(("Secret", "flights-secrets"))  # which a person makes
    for pod in pods(overlays[name]).values():
        for volume in pod["volumes"]:
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in made
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in made
        for each in containers(pod):
            for source in each.get("envFrom", []):
                assert ("ConfigMap", source["configMapRef"]["name"]) in made
            for variable in each.get("env", []):
                if "valueFrom" in variable:
                    assert ("Secret", variable["valueFrom"]["secretKeyRef"]["name"]) in made


def test_servers_are_asked_at_their_own_addresses_and_stop_in_time(
    overlays: dict[str, list[dict[str, Any]]],
) -> None:
    pod = pods(overlays["production"])["flights-api"]
    [server] = pod["containers"]
    asked = {kind: server[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert asked == {"startup": "/live", "liveness": "/live", "readiness": "/ready"}
    slept = int(server["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > slept + 20.5  # [serve] grace_seconds
    assert "--workers=2" in server["args"]
    assert "--grace-seconds=20.5" in server["args"]
    assert "--records-durability=synced" in server["args"]
    assert {"--state=/srv/state", "--run=/run/siklus", "--feedback-url=$(FEEDBACK_URL)"} <= {*server["args"]}
    sealed = pods(overlays["sealed"])["flights-api"]["containers"][0]["args"]
    assert "--bundle=/srv/bundle" in sealed
    assert not any(word.startswith(("--state", "--run", "--feedback")) for word in sealed)
    assert only(overlays["production"], "Deployment", "-api")["spec"]["strategy"]["rollingUpdate"] == {
        "maxSurge": 1,
        "maxUnavailable": 0,
    }


def test_production_scales_and_development_needs_nobody(overlays: dict[str, list[dict[str, Any]]]) -> None:
    production, trial = overlays["production"], overlays["development"]
    assert "replicas" not in only(production, "Deployment", "-api")["spec"], "the autoscaler's to say"
    scaler = only(production, "HorizontalPodAutoscaler")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 15)
    assert only(production, "Deployment", "-loop")["spec"]["strategy"] == {"type": "Recreate"}
    claim = only(production, "PersistentVolumeClaim")["spec"]
    assert (claim["accessModes"], claim["storageClassName"]) == (["ReadWriteMany"], "nfs-client")
    settings = _settings(production)
    assert settings["FEEDBACK_URL"] == "https://flights.example.com"
    assert settings["SIKLUS_STATE__TRACKING_URI"] == "http://mlflow.example.com:5000"
    assert settings["SIKLUS_ROLLOUT__SETTLE"] == "90s"
    assert only(trial, "PersistentVolumeClaim")["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert _settings(trial)["FEEDBACK_URL"] == "http://flights-loop.flights-dev:8000"
    assert "SIKLUS_ROLLOUT__SETTLE" not in _settings(trial), "one machine sees its own files at once"
    assert {each["kind"] for each in trial}.isdisjoint(OURS | {"HorizontalPodAutoscaler", "Ingress"})


def _settings(found: list[dict[str, Any]]) -> dict[str, str]:
    [one] = [
        each["data"]
        for each in found
        if each["kind"] == "ConfigMap" and each["metadata"]["name"].startswith("flights-settings-")
    ]
    data: dict[str, str] = one
    return data


@pytest.mark.parametrize(("settle", "raised"), [("0s", True), ("89s", True), ("5m", False)])
def test_a_settle_that_is_shorter_than_files_are_late_is_raised(
    settle: str, raised: bool, tmp_path: Path
) -> None:
    directory = manifests(tmp_path, f'[rollout]\nsettle = "{settle}"\n')
    text = (directory / "overlays/production/kustomization.yaml").read_text()
    assert ("SIKLUS_ROLLOUT__SETTLE=90s" in text) is raised


def test_the_rules_are_those_of_prometheus(
    full: Path, overlays: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    plain = deployed(cluster_project(tmp_path, FULL), "prometheus") / "rules"
    wanted = [yaml.safe_load(path.read_text())["groups"] for path in sorted(plain.iterdir())]
    rules = sorted(
        (each for each in overlays["production"] if each["kind"] == "PrometheusRule"),
        key=lambda each: str(each["metadata"]["name"]),
    )
    assert [each["spec"]["groups"] for each in rules] == wanted
    written = tmp_path / "rules.yml"
    written.write_text(
        yaml.safe_dump({"groups": [group for each in rules for group in each["spec"]["groups"]]})
    )
    check(program("promtool"), "check", "rules", str(written), cwd=tmp_path)
    monitor = only(overlays["production"], "ServiceMonitor")["spec"]
    [job, *drops] = monitor["endpoints"][0]["relabelings"]
    assert job == {"targetLabel": "job", "replacement": "flights"}
    assert {each["action"] for each in drops} == {"labeldrop"}
    assert {each["regex"] for each in drops} == OPERATORS_LABELS & set(LABELS)


def test_secrets_are_named_and_never_held(full: Path, overlays: dict[str, list[dict[str, Any]]]) -> None:
    example = yaml.safe_load((full / "overlays/production/secret.example.yaml").read_text())
    assert set(example["stringData"]) == {"control-url", "ops-mail.password", "chat.url"}
    assert set(example["stringData"].values()) == {""}
    assert (
        "secret.example.yaml"
        not in (full / "overlays/production/kustomization.yaml").read_text().split("resources:")[1]
    )
    [loop] = pods(overlays["production"])["flights-loop"]["containers"]
    variables = {each["name"]: each for each in loop["env"]}
    assert variables["CHAT_URL"]["valueFrom"]["secretKeyRef"]["key"] == "chat.url"
    moved = "SIKLUS_NOTIFY__OPS-MAIL__PASSWORD_FILE"
    assert variables[moved]["value"] == "/srv/secrets/ops-mail.password"
    settings = read_project(
        full / "components/loop/project/siklus.toml", environment={moved: variables[moved]["value"]}
    )
    mail = settings.notify["ops-mail"]
    assert isinstance(mail, Mail)
    assert mail.password_file == "/srv/secrets/ops-mail.password"
    [volume] = [each for each in pods(overlays["production"])["flights-loop"]["volumes"] if "secret" in each]
    assert [each["key"] for each in volume["secret"]["items"]] == ["ops-mail.password"]
    assert volume["secret"]["defaultMode"] == 0o440


def test_files_that_nothing_brings_along_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = '[notify.near]\nkind = "mail"\nto = ["a@example.com"]\nca_file = "ca.pem"\n'
    manifests(tmp_path, more)
    assert "ca.pem, which [notify.near] ca_file names" in capsys.readouterr().err


def test_the_project_goes_along_as_it_is(full: Path, overlays: dict[str, list[dict[str, Any]]]) -> None:
    [held] = [
        each["data"]
        for each in overlays["production"]
        if each["metadata"]["name"].startswith("flights-project-")
    ]
    assert held["siklus.toml"] == HEAD + FULL
    assert json.loads(held["contract.json"])["target"]["name"] == "late"


@given(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True))
def test_any_project_has_a_name_in_a_cluster(name: str) -> None:
    found = cluster_name(name)
    assert DNS_LABEL.fullmatch(found)
    assert len(found) <= LONGEST
    assert yaml.safe_load(found) == found
    assert (found == name) or re.search(r"-[0-9a-f]{6}\Z", found)


@pytest.mark.parametrize("name", ["late_flights", "on", "x" * 63])
def test_a_name_that_kubernetes_does_not_take_is_another_there(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster_project(tmp_path)
    file = tmp_path / "siklus.toml"
    file.write_text(file.read_text().replace('name = "flights"', f'name = "{name}"'))
    directory = deployed(tmp_path, "kubernetes")
    assert repr(cluster_name(name)) in capsys.readouterr().err
    for each in built(directory / "overlays" / "production"):
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", each["metadata"]["name"])
        assert all(isinstance(value, str) for value in each["metadata"].get("labels", {}).values())


def test_trusted_keys_go_along_and_are_asked_for(tmp_path: Path) -> None:
    cluster_project(tmp_path, '[serve]\ntrusted_keys = ["keys/release.pub"]\n')
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "release.pub").write_text("a public key\n")
    found = built(deployed(tmp_path, "kubernetes") / "overlays" / "production")
    [keys] = [each for each in found if each["metadata"]["name"].startswith("flights-trusted-")]
    assert keys["data"] == {"release.pub": "a public key\n"}
    made = pods(found)
    assert "--trusted-keys=/srv/trusted/release.pub" in made["flights-api"]["containers"][0]["args"]
    # Both read siklus.toml, which names a file that their image does not have.
    for each in (*made["flights-loop"]["containers"], *made["flights-api"]["initContainers"]):
        variables = {variable["name"]: variable.get("value") for variable in each["env"]}
        assert variables["SIKLUS_SERVE__TRUSTED_KEYS"] == '["/srv/trusted/release.pub"]'
        assert "/srv/trusted" in {mount["mountPath"] for mount in each["volumeMounts"]}
