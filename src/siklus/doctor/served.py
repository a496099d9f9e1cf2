"""What servers answer with: the published policy, whether it was so decided, its bundles file by file."""

from collections.abc import Iterator, Sequence

from siklus.bundle.manifest import manifest_bytes, read_manifest
from siklus.bundle.read import verify
from siklus.doctor.case import Case
from siklus.doctor.databases import control_of
from siklus.doctor.finding import Finding, note, ok, trouble
from siklus.errors import SiklusError
from siklus.files import sha256
from siklus.project.file import OpenProject
from siklus.registry.policy import TrafficPolicy
from siklus.registry.publish import trusted_by
from siklus.registry.published import PUBLISHED, read_policy
from siklus.registry.traffic import REVISIONS, Traffic

ABOUT = "traffic policy"
MANIFEST = "manifest.json"


def check_served(_case: Case, project: OpenProject) -> Sequence[Finding]:
    file = project.paths.run / PUBLISHED
    decided = _decided(project)
    if not file.exists():
        if decided:
            told = f"revision {decided} is decided and not published: servers here answer with nothing"
            return [trouble(ABOUT, told, mend="`siklus serve` or `siklus up` publishes it")]
        return [note(ABOUT, "nothing is published yet", mend="`siklus train`, then `siklus serve`")]
    try:
        policy = read_policy(file)
    except SiklusError as error:
        cure = f"`rm {file}`; `siklus serve` publishes what was decided"
        return [trouble(ABOUT, f"{error.code} {error.message}", mend=cure)]
    return [judge_revision(policy.revision, decided), *_bundles(project, policy)]


def judge_revision(published: int, decided: int) -> Finding:
    """``decided``: in the control database, 0 where it has none."""
    if decided > published:
        told = f"revision {published} is published, and {decided} is decided"
        return note(
            ABOUT, told, mend="`siklus up` or `siklus serve` publishes it; a running server within seconds"
        )
    if decided < published:
        told = f"revision {published} is published, and the control database knows {decided or 'none'}"
        cure = "an older backup of the database, or another one in [state] control: `siklus traffic` shows it"
        return note(ABOUT, told, mend=cure)
    return ok(ABOUT, f"revision {published} is published, as decided")


def _decided(project: OpenProject) -> int:
    try:
        with control_of(project) as control:
            if control is None or not control.has(REVISIONS):
                return 0
            return Traffic(control, project.settings.project.name).revision()
    except SiklusError:  # the check of the database says so
        return 0


def _bundles(project: OpenProject, policy: TrafficPolicy) -> Iterator[Finding]:
    intact, trusted = [], trusted_by(project)
    for arm in policy.allotment.everybody:
        path, about = project.paths.bundles / arm.digest, f"version {arm.version}"
        cure = f"`rm -r {path}`; `siklus serve` fetches it anew from the registry"
        try:
            verify(path, read_manifest(path))
            found = sha256(path / MANIFEST)
        except SiklusError as error:
            yield trouble(about, f"{error.code} {error.message}", mend=cure)
            continue
        if trusted is not None:
            try:
                trusted.refuse_untrusted(path, manifest_bytes(path))
            except SiklusError as error:
                yield trouble(about, f"{error.code} {error.message}", mend=f"`siklus sign {arm.version}`")
                continue
        if found != arm.digest:
            yield trouble(about, f"{path} is another bundle than the one published", mend=cure)
            continue
        intact.append(arm.version)
    if intact:
        names = ", ".join(map(str, intact))
        signed = "" if trusted is None else ", signed by one who is trusted"
        which = "versions" if len(intact) > 1 else "version"
        yield ok("bundles", f"{which} {names}: every file as it was sealed{signed}")
