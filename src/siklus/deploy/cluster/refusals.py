"""Refusals: what of a project cannot be had in a cluster, said before any file is written."""

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from siklus.errors import DeployError
from siklus.project.file import FILE_NAME, OpenProject, read_project
from siklus.project.shipping import NAMESPACE

MOST_BYTES = 1_000_000  # of a ConfigMap, which Kubernetes bounds at 1 MiB with its names and all
PLAIN_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
BESIDE = {  # where a password has its place instead
    "[data] url": "the URL without it there, and the whole one in the Secret, as data-url",
    "[state] control": "no such key there; the whole URL in the Secret, as control-url",
    "[state] tracking_uri": "a URL without it, of a server that only the cluster reaches",
    "[monitor] prometheus": "a URL without it, of a server that only the cluster reaches",
}
STORAGE_CLASS = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"


def refuse_odd(*, tag: str, namespaces: Sequence[str], storage_class: str) -> None:
    """DeployError DP030 for a word that Kubernetes, or a registry of images, would not take."""
    kinds = [
        ("a tag", TAG, tag, "such as 1.2.0"),
        *(("a namespace", NAMESPACE, each, "lower-case letters, digits and -") for each in namespaces),
        ("a storage class", STORAGE_CLASS, storage_class, "a name such as nfs-client"),
    ]
    for what, pattern, word, expected in kinds:
        if not re.fullmatch(pattern, word):
            raise DeployError("DP030", f"{what} {word!r}", expected=expected)


def refuse_unshippable(project: OpenProject) -> None:
    """DeployError DP031 for a password in siklus.toml, DP032 for a server that listens at no plain port, or
    sends outcomes away, and DP033 where siklus.toml and the contract are no files of a ConfigMap.
    """
    _refuse_passwords(project)
    serve = project.settings.serve
    for key in ("uds", "tls_certificate"):
        if getattr(serve, key) is not None:
            raise DeployError(
                "DP032",
                f"[serve] {key} = {getattr(serve, key)!r}, but a pod speaks plain HTTP, at a port",
                expected=f"no {key}; TLS is the ingress's",
            )
    if serve.feedback_url is not None:
        raise DeployError(
            "DP032",
            f"[serve] feedback_url = {serve.feedback_url!r}, which the loop's server would follow, too",
            expected="none there; the overlays have FEEDBACK_URL",
        )
    _refuse_unfit_files(project)


def copied(path: Path) -> str:
    """A file's text; DeployError DP033 for what cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise DeployError(
            "DP033",
            f"{path} cannot be read: {exc}",
            expected="a file of the project; `siklus contract infer`",
        ) from exc


def _refuse_passwords(project: OpenProject) -> None:
    """What the environment says beside the file is in no ConfigMap, and may hold what it likes."""
    own = read_project(project.paths.root / FILE_NAME, environment={})
    urls = {
        "[data] url": own.data.url,
        "[state] control": own.state.control,
        "[state] tracking_uri": own.state.tracking_uri,
        "[monitor] prometheus": own.monitor.prometheus,
    }
    for key, url in urls.items():
        if url is not None and _holds_password(url):
            raise DeployError(
                "DP031",
                f"{key} holds a password, and {FILE_NAME} becomes a ConfigMap, which many may read",
                expected=BESIDE[key],
            )


def _holds_password(url: str) -> bool:
    try:
        return urlsplit(url).password is not None
    except ValueError:  # no URL that anybody could split: nothing says that there is none
        return "@" in url


def _refuse_unfit_files(project: OpenProject) -> None:
    contract = project.settings.data.contract
    inside = re.fullmatch(r"(?:[A-Za-z0-9._-]+/)*", contract[: -len(Path(contract).name)] or "")
    if not PLAIN_FILE.fullmatch(Path(contract).name) or not inside or ".." in contract:
        raise DeployError(
            "DP033", f"[data] contract = {contract!r}", expected="a file of the project with a plain name"
        )
    size = sum(
        len(copied(path).encode()) for path in (project.paths.root / FILE_NAME, project.paths.contract)
    )
    if size > MOST_BYTES:
        raise DeployError(
            "DP033",
            f"{FILE_NAME} and {contract} have {size:,} bytes together",
            expected=f"at most {MOST_BYTES:,} for a ConfigMap; shorter vocabularies make a smaller contract",
        )
