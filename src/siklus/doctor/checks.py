"""The checks by name: those of the machine alone, and those that need a project whose file is whole."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from siklus.doctor.case import Case
from siklus.doctor.clock import check_clock
from siklus.doctor.container import check_machine
from siklus.doctor.databases import check_database
from siklus.doctor.disk import check_disk
from siklus.doctor.examine import Check
from siklus.doctor.finding import Finding
from siklus.doctor.limits import check_limits
from siklus.doctor.log import check_log
from siklus.doctor.packages import check_packages
from siklus.doctor.papers import check_project
from siklus.doctor.permissions import check_permissions
from siklus.doctor.ports import check_ports
from siklus.doctor.processes import check_lease, check_processes
from siklus.doctor.prometheus import check_prometheus
from siklus.doctor.receivers import check_mail, check_services, check_told
from siklus.doctor.served import check_served
from siklus.doctor.tracking import check_tracking
from siklus.project.file import OpenProject

ProjectCheck: TypeAlias = Callable[[Case, OpenProject], Sequence[Finding]]

MACHINE: Mapping[str, Check] = {
    "machine": check_machine,
    "versions": check_packages,
    "clock": check_clock,
    "disk": check_disk,
    "limits": check_limits,
    "project": check_project,
}
PROJECT: Mapping[str, ProjectCheck] = {
    "permissions": check_permissions,
    "ports": check_ports,
    "database": check_database,
    "tracking": check_tracking,
    "processes": check_processes,
    "lease": check_lease,
    "served": check_served,
    "log": check_log,
    "prometheus": check_prometheus,
    "receivers": check_told,
    "mail": check_mail,
    "services": check_services,
}


def checks_of(case: Case) -> Mapping[str, Check]:
    """All that can be looked at: without a project, the machine alone."""
    if case.project is None:
        return MACHINE
    return {**MACHINE, **{name: _of(check, case.project) for name, check in PROJECT.items()}}


def _of(check: ProjectCheck, project: OpenProject) -> Check:
    return lambda case: check(case, project)
