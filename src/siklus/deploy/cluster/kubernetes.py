"""Kubernetes: a project as manifests, in a base, components that add to it, and overlays that choose."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from siklus.deploy.cluster.addresses import Addresses, addresses_of
from siklus.deploy.cluster.calls import loop_ports, store_ports, training_ports
from siklus.deploy.cluster.naming import OF_NAMESPACE, cluster_name
from siklus.deploy.cluster.refusals import copied, refuse_odd, refuse_unshippable
from siklus.deploy.cluster.secrets import notify_secrets, training_secrets
from siklus.deploy.cluster.size import MOST_TIMES, size_of
from siklus.deploy.drafts import Draft
from siklus.deploy.images.docker import data_file, image_of, trusted_keys
from siklus.deploy.images.words import PORT, sealed_words, stack_words
from siklus.deploy.rendering import render
from siklus.deploy.stack.images import IMAGES
from siklus.deploy.watching.prometheus import rule_files
from siklus.monitor.alerts.rules import Rule
from siklus.project.durations import duration_of, seconds_or_zero
from siklus.project.file import FILE_NAME, OpenProject

USER = 10001  # that the images run as
NFS_SETTLE = 90  # seconds: NFS may show a directory as it was for a minute, and the loop looks meanwhile
STORAGE = "20Gi"
FIRST_TRAINING = 3600  # seconds that the loop may take before it answers
FEEDBACK_URL = "$(FEEDBACK_URL)"  # which Kubernetes fills in

ROOMS: Mapping[str, tuple[str, ...]] = {
    "base": ("kustomization.yaml", "api.yaml", "network.yaml"),
    "components/loop": ("kustomization.yaml", "api.yaml", "loop.yaml", "network.yaml", "state.yaml"),
    "components/watching": ("kustomization.yaml", "scrape.yaml", "rules.yaml"),
    "components/scaling": ("kustomization.yaml", "autoscaler.yaml", "adapter-rule.yaml"),
    "components/retraining": ("kustomization.yaml", "training.yaml", "network.yaml"),
    "overlays/sealed": ("kustomization.yaml",),
    "overlays/development": ("kustomization.yaml", "network.yaml", "prometheus.yaml", "prometheus.yml"),
    "overlays/production": ("kustomization.yaml", "ingress.yaml", "secret.example.yaml"),
}


class Cluster(Struct, frozen=True, kw_only=True):
    """What only its administrator knows of a cluster.

    ``tag``: of the images. ``ingress`` and ``prometheus``: the namespaces of the ingress controller and of
    Prometheus. ``storage_class``: one that gives ReadWriteMany. ``rate``: requests a second of a pod, beyond
    which there is one more.
    """

    tag: str = "1"
    ingress: str = "ingress-nginx"
    prometheus: str = "monitoring"
    storage_class: str = "nfs-client"
    rate: int = 100


class ClusterFiles(Struct, frozen=True, kw_only=True):
    """``remarks``: what a person has still to do or to know, a sentence each."""

    drafts: tuple[Draft, ...]
    remarks: tuple[str, ...]


def kubernetes_files(project: OpenProject, rules: Sequence[Rule], cluster: Cluster) -> ClusterFiles:
    """DeployError DP012, and DP030 to DP035, for what no manifest can hold, or no cluster should."""
    refuse_odd(
        tag=cluster.tag, namespaces=(cluster.ingress, cluster.prometheus), storage_class=cluster.storage_class
    )
    refuse_unshippable(project)
    found = addresses_of(project.settings, prometheus_namespace=cluster.prometheus)
    words = _words(project, cluster, found) | {"groups": rule_files(project.settings, rules)}
    drafts = [*_rendered(words, found), *_copies(project)]
    return ClusterFiles(drafts=tuple(drafts), remarks=tuple(_remarks(project, words)))


def _rendered(words: Mapping[str, object], addresses: Addresses) -> Iterator[Draft]:
    for room, names in ROOMS.items():
        templates = f"kubernetes/{Path(room).name}"
        space = {"space": words["trial" if room.endswith("development") else "namespace"]}
        for name in names:
            if name != "ingress.yaml" or addresses.host is not None:
                yield Draft(path=f"{room}/{name}", text=render(f"{templates}/{name}", **words, **space))
        if room.startswith("overlays/"):
            text = render("kubernetes/namespace.yaml", **space)
            yield Draft(path=f"{room}/namespace.yaml", text=text)


def _copies(project: OpenProject) -> Iterator[Draft]:
    """What kustomize may read from below its own directories only."""
    root, contract = project.paths.root, project.paths.contract
    for path in (root / FILE_NAME, contract):
        yield Draft(path=f"components/loop/project/{path.name}", text=copied(path))
    for key in trusted_keys(project):
        yield Draft(path=f"base/trusted/{Path(key).name}", text=copied(root / key))


def _words(project: OpenProject, cluster: Cluster, addresses: Addresses) -> dict[str, object]:
    settings = project.settings
    deploy, name = settings.deploy, settings.project.name
    namespace = deploy.namespace or cluster_name(name)
    of_training = training_secrets(settings)
    stores = store_ports(control=settings.state.control, tracking=addresses.tracking)
    n, size, trusted = (
        cluster_name(name),
        size_of(settings),
        tuple(Path(key).name for key in trusted_keys(project)),
    )
    return {
        "n": n,
        "project": name,
        "namespace": namespace,
        "trial": f"{cluster_name(namespace, longest=OF_NAMESPACE)}-dev",
        "image": image_of(project),
        "loop_image": f"{image_of(project)}-loop",
        "tag": cluster.tag,
        "replicas": deploy.replicas,
        "most_replicas": MOST_TIMES * deploy.replicas,
        "rate": cluster.rate,
        "user": USER,
        "port": PORT,
        "size": size,
        "trusted": trusted,
        "sealed_words": sealed_words(settings, trusted=trusted),
        "stack_words": stack_words(settings, trusted=trusted, feedback_url=FEEDBACK_URL),
        "contract": project.paths.contract.name,
        "contract_folder": f"/srv/project/{Path(settings.data.contract).parent}".rstrip("/."),
        "storage": STORAGE,
        "storage_class": cluster.storage_class,
        "first_training": FIRST_TRAINING,
        "training_secrets": of_training,
        "secrets": (*of_training, *notify_secrets(settings.notify)),
        "store_ports": stores,
        "training_ports": training_ports(settings, stores=stores),
        "loop_ports": loop_ports(settings, stores=stores, prometheus=addresses.prometheus),
        "ingress_namespace": cluster.ingress,
        "prometheus_namespace": cluster.prometheus,
        "prometheus_image": IMAGES.prometheus,
        "addresses": addresses,
        "url": deploy.url,
        "feedback_url": deploy.url or f"http://{n}-loop.{namespace}:{PORT}",
        "settle": _settle(settings.rollout.settle),
        "max_body": settings.serve.max_body_bytes,
    }


def _settle(settle: str) -> str | None:
    """What takes the place of [rollout] settle where files are seen late; None where that is as long."""
    return None if seconds_or_zero(settle) >= NFS_SETTLE else duration_of(NFS_SETTLE)


def _remarks(project: OpenProject, words: Mapping[str, object]) -> Iterator[str]:
    name, n = words["project"], words["n"]
    if name != n:
        yield f"Kubernetes' names cannot be like {name!r}: there it is called {n!r}."
    if project.settings.deploy.url is None:
        yield "Without [deploy] url there is no ingress: whoever else calls needs a policy of yours."
    data = data_file(project)
    if data is None:
        yield "What [data] names must be reached from the loop's pod, or be mounted there."
    else:
        yield f"{data} is a file: the loop trains if its image has it, `siklus deploy docker --with-data`."
    for key, file in _left_behind(project):
        yield f"Neither image has {file}, which {key} names: mount it."
    yield f"Before production: URLs in overlays/production/kustomization.yaml, and the Secret {n}-secrets."


def _left_behind(project: OpenProject) -> Iterator[tuple[str, str]]:
    """Keys of siklus.toml that name files which nothing brings along, with the files."""
    settings = project.settings
    for name, receiver in settings.notify.items():
        if (file := getattr(receiver, "ca_file", None)) is not None:
            yield f"[notify.{name}] ca_file", file
    if settings.retrain.trusted is not None:
        yield "[retrain] trusted", settings.retrain.trusted
