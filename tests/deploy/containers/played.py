"""Pods as podman plays them: what kustomize built, but for what podman 4.3 cannot do."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.clusters import containers, pods
from tests.deploy.containers.engine import podman

SECONDS = 180  # a loaded machine may need ten times what a free one does


@dataclass(frozen=True)
class Played:
    """Overlays on one machine, as files in ``folder``.

    ``images``: what stands for those of the manifests. ``secrets``: values by their keys. ``pods`` and
    ``volumes``: what was made.
    """

    folder: Path
    images: Mapping[str, str]
    secrets: Mapping[str, str]
    pods: list[str] = field(default_factory=list)
    volumes: set[str] = field(default_factory=set)

    def start(
        self, found: list[dict[str, Any]], which: str, *, port: int | None = None, init: bool = False
    ) -> str:
        """Play the pod of what is called so, or its init container as a pod of its own; the pod's name.

        ``port``: of 127.0.0.1, at which it is asked.
        """
        pod = json.loads(json.dumps(pods(found)[which]))
        name = f"{which}-init" if init else f"{which}-pod"
        first = pod.pop("initContainers", [])  # podman removes them while they run
        if init:
            pod |= {"containers": first, "restartPolicy": "Never"}
        settings = _settings(found)
        for each in containers(pod):
            self._fit(each, settings, port)
        for volume in pod["volumes"]:
            if "emptyDir" in volume:  # podman makes a volume of that name, for all pods
                self._rename(pod, volume, f"{name}-{volume['name']}")
        maps = [each for each in found if each["kind"] == "ConfigMap"]
        whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod}
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump_all([*(_here(each) for each in maps), whole]))
        self.pods.append(name)
        self.volumes.update(_volume(volume) for volume in pod["volumes"])
        podman("kube", "play", str(file))
        return name

    def _fit(self, container: dict[str, Any], settings: Mapping[str, str], port: int | None) -> None:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            container.pop(probe, None)  # podman asks by a curl in the image, and there is none
        container.pop("lifecycle", None)
        container["image"] = self.images[container["image"]]
        mounts = container["volumeMounts"]  # a subPath would be the whole volume
        container["volumeMounts"] = [mount for mount in mounts if "subPath" not in mount]
        for variable in container.get("env", []):
            if source := variable.pop("valueFrom", None):
                variable["value"] = self.secrets[source["secretKeyRef"]["key"]]
        words = container.get("args", [])
        container["args"] = [_expanded(word, settings) for word in words]
        if port is not None:
            container["ports"] = [
                {**each, "hostPort": port, "hostIP": "127.0.0.1"} for each in container["ports"]
            ]

    def _rename(self, pod: dict[str, Any], volume: dict[str, Any], name: str) -> None:
        for each in containers(pod):
            for mount in each["volumeMounts"]:
                if mount["name"] == volume["name"]:
                    mount["name"] = name
        volume["name"] = name

    def ended(self, name: str) -> int:
        """The exit code of a pod's one container, once it has ended."""
        give_up = time.monotonic() + SECONDS
        while (state := self.state(name))["Status"] != "exited":
            assert time.monotonic() < give_up, self.said(name)
            time.sleep(0.5)
        return int(state["ExitCode"])

    def state(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.inspected(name)["State"]
        return found

    def said(self, name: str) -> str:
        logged = podman("logs", self._container(name))
        return logged.stdout + logged.stderr

    def inspected(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(podman("inspect", self._container(name)).stdout)[0]
        return found

    def stop(self, name: str, *, seconds: int) -> int:
        """What it ends with when it is told to."""
        podman("stop", f"--time={seconds}", self._container(name))
        return int(self.state(name)["ExitCode"])

    def _container(self, name: str) -> str:
        listed = podman("ps", "--all", f"--filter=pod={name}", "--format={{.Names}}").stdout.split()
        [one] = [each for each in listed if not each.endswith("-infra")]
        return one


@contextmanager
def playing(folder: Path, images: Mapping[str, str], secrets: Mapping[str, str]) -> Iterator[Played]:
    """Whatever is made goes at the end."""
    played = Played(folder, images, secrets)
    try:
        yield played
    finally:
        for name in reversed(played.pods):
            podman("pod", "rm", "--force", "--time=0", name, check=False)
        for name in sorted(played.volumes):
            podman("volume", "rm", name, check=False)


def _volume(volume: dict[str, Any]) -> str:
    """What podman calls it."""
    named: str = volume["name"]
    match volume:
        case {"persistentVolumeClaim": {"claimName": named}} | {"configMap": {"name": named}}:
            return named
    return named


def _settings(found: list[dict[str, Any]]) -> dict[str, str]:
    maps = [each["data"] for each in found if each["kind"] == "ConfigMap"]
    return {key: value for data in maps for key, value in data.items()}


def _expanded(word: str, settings: Mapping[str, str]) -> str:
    """`$(NAME)` as Kubernetes fills it in, and podman does not."""
    for key, value in settings.items():
        word = word.replace(f"$({key})", value)
    return word


def _here(manifest: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "namespace"}
    return {**manifest, "metadata": metadata}
