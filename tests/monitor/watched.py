"""A project whose server is watched: bundles in its state, a traffic policy, and a project file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from siklus.monitor.watch import Watch
from siklus.project.file import OpenProject, open_project
from siklus.registry.control import control_uri, open_control
from tests.serve.counting import flights
from tests.serve.published import placed, publish

FILE = """
[project]
name = "flights"
task = "classification"

[data]
path = "flights.csv"
target = "late"
"""


def project_in(folder: Path, *, control: str | None = None, more: str = "") -> OpenProject:
    """A project whose champion is version 7, answering "yes" to every distance above 0."""
    folder.mkdir(exist_ok=True)
    state = "" if control is None else f'[state]\ncontrol = "{control}"\n'
    (folder / "siklus.toml").write_text(FILE + more + state)
    publish(folder / ".siklus", 1, placed(folder / ".siklus", 7, flights(folder / "draft")))
    return open_project(folder, environment={})


@contextmanager
def watching(project: OpenProject) -> Iterator[Watch]:
    url = control_uri(project.settings.state.control, project.paths.root)
    with open_control(url, file=project.paths.control_database) as control:
        yield Watch(project, control, environment={})
