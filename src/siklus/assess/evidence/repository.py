"""Whether the project's files are in a repository."""

from collections.abc import Iterator

from siklus.assess.facts import HALF, NOTHING, Sighting, Trace
from siklus.project.file import FILE_NAME, OpenProject
from siklus.tracking.provenance import source_state, tracked

COMMIT = "git add . && git commit"


def in_git(project: OpenProject) -> Iterator[Sighting]:
    """Both what says how to train and what says what a row must be. Where a repository keeps them not, a
    trace that is worth nothing, but no second repository is advised."""
    root = project.paths.root
    wanted = {FILE_NAME, project.settings.data.contract}
    state = source_state(root)
    if state is None:
        return
    names = " and ".join(sorted(wanted))
    if tracked(root, wanted) == wanted:
        said, most = f"{names} in git, at commit {state.commit[:10]}", HALF
        mend = f"{COMMIT} && siklus train" if state.dirty else "siklus train"
    else:
        said, most, mend = f"{names} are not in git", NOTHING, COMMIT
    where = state.remote or ".git"
    yield Sighting("repository", Trace(kind="configured", said=said, where=where, most=most, mend=mend))
