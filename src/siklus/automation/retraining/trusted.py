"""The trusted set: a file of rows with labels that no training reads, on which no challenger may be worse."""

from siklus.bundle.read import Bundle
from siklus.contract.decode import decode_target
from siklus.data.sources import open_source
from siklus.errors import AutomationError, DataError, RowsRefused
from siklus.project.file import OpenProject
from siklus.project.sections import Data, Project
from siklus.stats.paired import Difference, compare
from siklus.table import Table, is_missing
from siklus.train.champion import LEVEL, answers_of, known_to
from siklus.train.metric import metric_of


def judged_by(settings: Project) -> str:
    """What two versions are compared by: [gates] champion, or the metric that the training is about."""
    return settings.gates.champion or metric_of(settings)


def trusted_rows(opened: OpenProject) -> Table | None:
    """The rows of [retrain] trusted, or None. AutomationError AU053 where they cannot be read."""
    path, target = opened.settings.retrain.trusted, opened.settings.data.target
    if path is None:
        return None
    try:
        found = open_source(Data(path=path, target=target), directory=opened.paths.root).read().table
        table = found.take(~is_missing(found[target]))
        if len(table):
            return table
        reason = "no row has a label"
    except DataError as exc:
        reason = str(exc)
    raise _unusable(path, reason)


def on_trusted(opened: OpenProject, challenger: Bundle, champion: Bundle) -> Difference | None:
    """The challenger's loss minus the champion's on the trusted rows; None without any.

    AutomationError AU053 for rows that do not keep the challenger's contract; RowsRefused, the champion's.
    """
    table = trusted_rows(opened)
    if table is None:
        return None
    contract, settings = challenger.contract, opened.settings
    classes = contract.target.classes
    try:
        truth = decode_target(known_to(contract, table), contract)
        ours = answers_of(challenger, table, classes=classes)
    except (DataError, RowsRefused) as exc:
        raise _unusable(str(settings.retrain.trusted), str(exc)) from exc
    theirs = answers_of(champion, table, classes=classes)
    return compare(judged_by(settings), truth, ours, theirs, level=LEVEL)


def _unusable(path: str, reason: str) -> AutomationError:
    wanted = "rows as [data] has them, with their labels"
    return AutomationError("AU053", f"[retrain] trusted = {path!r} cannot be used: {reason}", expected=wanted)
