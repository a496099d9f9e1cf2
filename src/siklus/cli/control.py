"""A project's control database from the command line's side, and who sits before it."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager

from siklus.project.file import OpenProject
from siklus.registry.control import Control, control_uri, open_control


@contextmanager
def project_control(project: OpenProject) -> Iterator[Control]:
    """Opened, and made where there is none; RegistryError RG010 when it does not answer."""
    url = control_uri(project.settings.state.control, project.paths.root)
    with open_control(url, file=project.paths.control_database) as control:
        yield control


def has_control(project: OpenProject) -> bool:
    """Whether there is a control database to ask: a question makes none."""
    return project.settings.state.control is not None or project.paths.control_database.is_file()


def author() -> str:
    """Whose decision it is."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user often has no name
        return f"user {os.getuid()}"
