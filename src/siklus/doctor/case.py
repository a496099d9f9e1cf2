"""The case: what is examined, as every check gets it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from siklus.errors import SiklusError
from siklus.project.file import OpenProject, open_project

NO_PROJECT = "PJ001"


@dataclass(frozen=True, kw_only=True)
class Case:
    """``folder``: where a project was looked for. ``project``: None where there is none, or where its file
    is broken: ``refused`` says which.

    ``seconds``: what one exchange over the network may take. ``mail``: a test mail may be sent.
    """

    folder: Path
    environment: Mapping[str, str]
    project: OpenProject | None = None
    refused: SiklusError | None = None
    seconds: float = 4.0
    mail: bool = False

    @property
    def home(self) -> Path:
        """The directory whose disk matters: the project's state, or the nearest one above that is there."""
        wanted = self.folder if self.project is None else self.project.paths.state
        return next(place for place in (wanted.absolute(), *wanted.absolute().parents) if place.is_dir())


def open_case(folder: Path, *, environment: Mapping[str, str], mail: bool = False) -> Case:
    """The case of the project in ``folder`` or above it; a broken project file is part of the case."""
    try:
        project = open_project(folder, environment=environment)
    except SiklusError as error:
        return Case(folder=folder, environment=environment, refused=error, mail=mail)
    return Case(folder=folder, environment=environment, project=project, mail=mail)
