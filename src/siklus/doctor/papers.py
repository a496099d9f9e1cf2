"""The project's own papers: its file, its contract, and whether both speak of the same."""

from collections.abc import Sequence

from siklus.contract.columns import parse_contract
from siklus.doctor.case import NO_PROJECT, Case
from siklus.doctor.finding import Finding, note, ok, trouble
from siklus.errors import ContractError
from siklus.project.file import FILE_NAME, OpenProject

ABOUT = "project"


def check_project(case: Case) -> Sequence[Finding]:
    if case.refused is not None and case.refused.code == NO_PROJECT:
        return [
            note(
                ABOUT,
                f"no {FILE_NAME} in {case.folder.absolute()} or above: only the machine was looked at",
                mend="`siklus doctor -C FOLDER`, or `siklus init` for a new project",
            )
        ]
    if case.refused is not None or case.project is None:
        wanted = (
            f"what is wanted there: {case.refused.expected}"
            if case.refused and case.refused.expected
            else "mend that line"
        )
        told = "unreadable" if case.refused is None else f"{case.refused.code} {case.refused.message}"
        return [trouble(ABOUT, told, mend=wanted)]
    project = case.project
    return [
        ok(ABOUT, f"{project.settings.project.name}: {project.paths.root / FILE_NAME} is whole"),
        _contract(project),
    ]


def _contract(project: OpenProject) -> Finding:
    about = "contract"
    path, target = project.paths.contract, project.settings.data.target
    infer = "`siklus contract infer`, then read and commit it"
    try:
        contract = parse_contract(path.read_bytes(), where=str(path))
    except FileNotFoundError:
        return trouble(about, f"{path} is not there", mend=infer)
    except ContractError as error:
        return trouble(about, f"{error.code} {error.message}", mend=f"expected {error.expected}; or {infer}")
    if contract.target.name != target:
        told = f"its target is {contract.target.name!r}, and [data] target is {target!r}"
        return trouble(about, told, mend=infer)
    if contract.task != project.settings.project.task:
        told = f"it is of a {contract.task}, and [project] task is {project.settings.project.task!r}"
        return trouble(about, told, mend=infer)
    return ok(about, f"{path.name}: {len(contract.columns)} columns, target {target!r}")
