"""What the command line does once something is decided: it is published here, and MLflow's stages follow."""

import sys

from siklus.automation.stages import Stages
from siklus.cli.control import project_control
from siklus.cli.policies import current_policy
from siklus.cli.registered import registry_of
from siklus.errors import SiklusError
from siklus.project.file import OpenProject
from siklus.registry.publish import publish, trusted_by


def make_live(project: OpenProject) -> None:
    """Publish what was decided last, and move the stages. Errors are those of `publish.publish`."""
    policy = current_policy(project)
    if policy is not None:
        publish(policy, project.paths, registry=lambda: registry_of(project), trusted=trusted_by(project))
    move_stages(project)


def move_stages(project: OpenProject) -> None:
    """Now, if MLflow answers. If not, that is said: what is decided holds all the same."""
    try:
        with project_control(project) as control:
            Stages(control, project.settings.project.name).move(registry_of(project))
    except SiklusError as error:
        sys.stderr.write(f"siklus: {error}; the stages in MLflow follow when `siklus up` reaches it\n")
