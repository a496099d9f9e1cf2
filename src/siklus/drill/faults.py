"""Faults: what is done to a sandbox, and what must follow. A scene in; what was done and is expected out."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from siklus.automation.retraining.signs import worth_of
from siklus.contract.columns import Column
from siklus.drill.expectations import Expectation
from siklus.drill.sandbox import Sandbox
from siklus.drill.traffic import Traffic
from siklus.drill.world import World, worthiest
from siklus.project.sections import Project

# Faults of one place share a sandbox, one after the other; those that leave traces for long have their own.
Place: TypeAlias = Literal["serving", "rollouts", "missing", "covariate", "concept"]


class NotPossible(Exception):
    """This project cannot be drilled so; the words say why. Skipped, which is not passed."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Where a fault happens. ``calm``: the world as in training, which ``traffic`` asks about before it."""

    sandbox: Sandbox
    traffic: Traffic
    calm: World

    @property
    def settings(self) -> Project:
        return self.sandbox.project.settings

    @property
    def columns(self) -> list[Column]:
        """Those first that the champion needs most."""
        champion = self.sandbox.champion
        return worthiest(champion.contract, self.worth)

    @property
    def worth(self) -> dict[str, float] | None:
        return worth_of(self.sandbox.champion.document("evaluation.json"))

    def retrains_on(self, trigger: str) -> bool:
        """Whether [retrain] on names it: what the project does not ask for is not expected."""
        return trigger in self.settings.retrain.on

    def refuse_sensitive(self) -> None:
        """NotPossible where the log does not keep rows as they were."""
        hidden = [column.name for column in self.sandbox.champion.contract.columns if column.sensitive]
        if hidden:
            raise NotPossible(f"{hidden[0]} is sensitive, so logged rows cannot be asked about again")


@dataclass(frozen=True)
class Attempt:
    """What the fault has tried itself, and what came of it: `refused`, `taken` …"""

    became: str
    text: str


def nothing_tried() -> Sequence[Attempt]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Injection:
    """A fault that is ready. ``strike`` does it; ``mend`` undoes it, once all has been seen, and
    ``afterwards`` is expected then. ``alarms``: signals that must not have fired before."""

    told: str
    expects: tuple[Expectation, ...]
    strike: Callable[[], Sequence[Attempt]]
    mend: Callable[[], Sequence[Attempt]] = nothing_tried
    afterwards: tuple[Expectation, ...] = ()
    alarms: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """``prepare``: makes it ready in a scene, and takes away at its end what it made; raises NotPossible."""

    name: str
    about: str
    place: Place
    prepare: Callable[[Scene], AbstractContextManager[Injection]]


def alarm_expected(signal: str, *, words: tuple[str, ...], within: float) -> tuple[Expectation, ...]:
    """An alert on the signal, by whichever rule, and a mail of it."""
    return (
        Expectation(told=f"alert on {signal}", what="alert", about=signal, became=("firing",), within=within),
        Expectation(told=f"mail about {signal}", what="mail", words=words, within=within + MAIL_SECONDS),
    )


def nothing_fails(within: float = 0) -> Expectation:
    """For so many seconds at least, and as long as anything else is watched."""
    return Expectation(told="no request fails", what="trouble", within=within, never=True)


MAIL_SECONDS = 60.0  # that a mail may come after what it tells
