"""Manifests as a cluster gets them: written by the command line, built by kustomize."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.projects import deployed, project

KUSTOMIZE = "v5."
OVERLAYS = ("sealed", "development", "production")
SECONDS = 60
CONTRACT = """{
  "format": 1,
  "columns": [
    {"kind": "number", "name": "distance"},
    {"kind": "category", "name": "origin", "vocabulary": ["EWR", "JFK", "LGA"]}
  ],
  "target": {"name": "late", "classes": ["no", "yes"]}
}
"""
FULL = """
[serve]
workers = 2
grace_seconds = 20.5
max_body_bytes = 1000000

[records]
durability = "synced"

[state]
tracking_uri = "http://mlflow.example.com:5000"

[deploy]
image = "ghcr.io/acme/flights"
url = "https://flights.example.com"
replicas = 3

[notify.ops-mail]
kind = "mail"
to = ["ml-ops@example.com"]
sender = "robot@example.com"
smtp = "smtp://robot@mail.example.com:587"
password_file = "secrets/mail"

[notify.chat]
kind = "webhook"
url_env = "CHAT_URL"
"""


def cluster_project(folder: Path, more: str = "") -> Path:
    project(folder, more)
    (folder / "contract.json").write_text(CONTRACT)
    return folder


def manifests(folder: Path, more: str = "", *options: str) -> Path:
    """The directory that the command line has written for such a project."""
    return deployed(cluster_project(folder, more), "kubernetes", *options)


def kubectl() -> str:
    """A kubectl whose kustomize knows components of today. Skips without one: Debian's may be of 2021."""
    found = shutil.which("kubectl")
    if found is None:
        pytest.skip("kubectl is not installed (https://kubernetes.io/docs/tasks/tools/)")
    told = subprocess.run([found, "version", "--client", "--output=json"], capture_output=True, check=False)
    known = json.loads(told.stdout or b"{}").get("kustomizeVersion", "")
    if not known.startswith(KUSTOMIZE):
        pytest.skip(f"{found} has kustomize {known or 'of old'}, and not {KUSTOMIZE}")
    return found


def built(directory: Path) -> list[dict[str, Any]]:
    """What `kubectl apply -k` would send."""
    words = [kubectl(), "kustomize", str(directory)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each is not None]


def only(found: list[dict[str, Any]], kind: str, name: str = "") -> dict[str, Any]:
    """The one of this kind, or the one whose name ends so."""
    [one] = [each for each in found if each["kind"] == kind and str(each["metadata"]["name"]).endswith(name)]
    return one


def pods(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pods' specifications, by the name of what makes them."""
    made = {}
    for each in found:
        match each["kind"]:
            case "Deployment":
                made[each["metadata"]["name"]] = each["spec"]["template"]["spec"]
            case "CronJob":
                made[each["metadata"]["name"]] = each["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return made


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [*pod.get("initContainers", []), *pod["containers"]]
    return found
