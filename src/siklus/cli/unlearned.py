"""Why nothing of what is answered can be learnt from, or judged by, later."""

from siklus.contract.columns import read_contract
from siklus.errors import ContractError
from siklus.project.file import OpenProject


def unlearned(project: OpenProject) -> str:
    """As a sentence's part; "" where the prediction log will hold rows that a retraining can take."""
    if not project.settings.records.enabled:
        return "[records] enabled = false, so no answer is kept that an outcome could be held against"
    try:
        contract = read_contract(project.paths.contract)
    except ContractError:
        return ""  # versions carry their own; a training says what is wrong with this one
    hidden = [repr(column.name) for column in contract.columns if column.sensitive]
    return (
        f"{', '.join(hidden)} {'are' if len(hidden) > 1 else 'is'} sensitive, and not logged"
        if hidden
        else ""
    )
