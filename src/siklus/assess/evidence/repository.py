"""Whether the project's files are in a repository."""

from collections.abc import Iterator

from siklus.assess.facts import Sighting, Trace
from siklus.project.file import FILE_NAME, OpenProject
from siklus.tracking.provenance import source_state, tracked


def in_git(project: OpenProject) -> Iterator[Sighting]:
    """Both what says how to train and what says what a row must be."""
    root = project.paths.root
    wanted = {FILE_NAME, project.settings.data.contract}
    if tracked(root, wanted) != wanted:
        return
    state = source_state(root)
    if state is not None:
        said = f"{' and '.join(sorted(wanted))} in git, at commit {state.commit[:10]}"
        yield Sighting("repository", Trace(kind="configured", said=said, where=state.remote or ".git"))
