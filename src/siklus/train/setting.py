"""What a training starts from: the project, its contract, and everything that was decided beforehand."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from siklus.bundle.papers import Origin
from siklus.contract.columns import Contract, read_contract
from siklus.errors import ProjectError
from siklus.project.file import OpenProject
from siklus.stats.scores import metric_named
from siklus.train.candidates import Candidate, Question
from siklus.train.gates import refuse_wrong_gates
from siklus.train.metric import metric_of
from siklus.train.own import find_candidate, refuse_unusable_columns
from siklus.train.search import BASELINES, Trial


@dataclass(frozen=True, kw_only=True)
class Setting:
    """``now`` and ``trigger`` (who or what asked) go into the papers; ``listen`` hears of each trial.

    ``origin``: of rows that were put together for a retraining. ``parent``: the run of MLflow that this
    training is a part of.
    """

    opened: OpenProject
    contract: Contract
    metric: str
    candidates: tuple[Candidate, ...]
    now: datetime
    trigger: str
    listen: Callable[[Trial, int], None]
    origin: Origin | None = None
    parent: str | None = None

    @property
    def question(self) -> Question:
        return Question(contract=self.contract, metric=self.metric, seed=self.opened.settings.train.seed)

    @property
    def name(self) -> str:
        return self.opened.settings.project.name

    @property
    def classify(self) -> bool:
        return self.contract.task == "classification"


def setting_of(
    opened: OpenProject,
    *,
    now: datetime,
    trigger: str,
    listen: Callable[[Trial, int], None],
    parent: str | None = None,
) -> Setting:
    """Read the contract, and refuse before any work what would fail after it: metrics, gates, candidates."""
    settings = opened.settings
    contract = read_contract(opened.paths.contract)
    _refuse_other_question(contract, opened)
    refuse_unusable_columns(contract)
    metric = metric_of(settings)
    metric_named(metric, task=contract.task, where="[train] metric")
    refuse_wrong_gates(settings.gates, task=contract.task, columns=contract.names)
    names = dict.fromkeys((*BASELINES, *settings.train.candidates))
    return Setting(
        opened=opened,
        contract=contract,
        metric=metric,
        candidates=tuple(find_candidate(name, root=opened.paths.root) for name in names),
        now=now,
        trigger=trigger,
        listen=listen,
        parent=parent,
    )


def _refuse_other_question(contract: Contract, opened: OpenProject) -> None:
    asked, file = opened.settings, opened.paths.contract
    for what, ours, theirs in (
        ("[project] task", asked.project.task, contract.task),
        ("[data] target", asked.data.target, contract.target.name),
    ):
        if ours != theirs:
            told = f"{what} = {ours!r}, but {file} has {theirs!r}"
            raise ProjectError("PJ008", told, expected="the same in both: mend the one that is wrong")
