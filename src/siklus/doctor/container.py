"""Whether this is a container, and what of it cannot be written."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from siklus.doctor.case import Case
from siklus.doctor.finding import Finding, note, ok
from siklus.doctor.mounts import mount_of

# Who puts which file there.
MARKS: Mapping[str, Path] = {"Docker": Path("/.dockerenv"), "Podman": Path("/run/.containerenv")}
NAMED = "container"  # the variable of the environment in which Podman and systemd say who runs it
KUBERNETES = Path("/var/run/secrets/kubernetes.io")
ABOUT = "machine"


def check_machine(case: Case) -> Sequence[Finding]:
    if sys.platform != "linux":
        told = f"{sys.platform}: servers and the loop run on Linux; the rest works"
        return [note(ABOUT, told, mend="`siklus deploy docker` makes an image")]
    inside = "Kubernetes" if KUBERNETES.exists() else None
    inside = inside or next((name for name, mark in MARKS.items() if mark.exists()), None)
    inside = inside or case.environment.get(NAMED)
    where = "no container" if inside is None else f"a container of {inside}"
    mount = mount_of(Path("/"))
    closed = mount is not None and mount.read_only
    return [ok(ABOUT, f"{where}{', its root read-only' if closed else ''}")]
