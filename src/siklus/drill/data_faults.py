"""Faults of the data: covariate drift, concept drift, a column that is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from siklus.automation.retraining.verdict import MATTERS
from siklus.contract.columns import Column
from siklus.drill.expectations import Expectation
from siklus.drill.faults import (
    MAIL_SECONDS,
    Fault,
    Injection,
    NotPossible,
    Scene,
    alarm_expected,
    nothing_fails,
)
from siklus.drill.traffic import Pace
from siklus.drill.world import World, emptiable, emptied, left_out, moved, relabelled
from siklus.monitor.quality.floors import floor_of, watched_metric

ALARM_SECONDS = 90.0
QUALITY_SECONDS = 180.0  # a model that was weak anyhow is hardly worse, and that takes labels
VERDICT_SECONDS = 180.0
TRAINED_SECONDS = 300.0
PROMOTED_SECONDS = 420.0
SILENT_SECONDS = 20.0  # in which nothing must begin
CROWD = Pace(rows=3, pause=0.02)  # enough for tests in seconds, and room for a training beside it


@contextmanager
def covariate_drift(scene: Scene) -> Iterator[Injection]:
    """Numbers shifted, words mixed otherwise, in the columns that the champion needs most."""
    world, told = moved(scene.calm, scene.columns)
    if not told:
        raise NotPossible("no column is a number or a word that could move within its contract")
    expects = [*alarm_expected("drift_alarm", words=("traffic has left training",), within=ALARM_SECONDS)]
    if scene.retrains_on("drift"):
        names = [words.split()[0] for words in told]
        matters = scene.worth is None or any(scene.worth.get(name, 0.0) >= MATTERS for name in names)
        expects += _judged(("retrain",) if matters else ("retrain", "wait"))
        if matters:
            expects.append(
                Expectation(
                    told="retraining ends in a verdict",
                    what="retraining",
                    became=("accepted", "refused", "undecided"),
                    within=TRAINED_SECONDS,
                )
            )
    yield Injection(
        told=", ".join(told),
        expects=(*expects, nothing_fails()),
        strike=lambda: _ask_about(scene, world),
        alarms=frozenset({"drift_alarm"}),
    )


@contextmanager
def concept_drift(scene: Scene) -> Iterator[Injection]:
    """The same rows, of which something else comes true: only outcomes show it."""
    scene.refuse_sensitive()
    champion, settings = scene.sandbox.champion, scene.settings
    evaluation = champion.document("evaluation.json")
    metric = watched_metric(settings, evaluation, task=champion.contract.task)
    if floor_of(metric, settings, evaluation, task=champion.contract.task) is None:
        raise NotPossible(f"nothing says which {metric} is too bad")
    world, told = relabelled(scene.calm, scene.columns)
    if not told:
        raise NotPossible("no column has an order by which outcomes could go")
    expects = [*alarm_expected("quality_alarm", words=("quality is beyond",), within=QUALITY_SECONDS)]
    if scene.retrains_on("quality"):
        expects += [*_judged(("retrain",)), *_promoted()]
    yield Injection(
        told=told,
        expects=(*expects, nothing_fails()),
        strike=lambda: _ask_about(scene, world),
        alarms=frozenset({"quality_alarm"}),
    )


@contextmanager
def missing_column(scene: Scene) -> Iterator[Injection]:
    """A column that the source does not fill any more: mend that, and train nothing on it."""
    column = emptiable(scene.calm, scene.columns)
    if column is not None:
        yield _emptied(scene, column)
        return
    required = next((each for each in scene.columns if not each.optional), None)
    if required is None:
        raise NotPossible("every column may be left out")
    yield _left_out(scene, required)


def _emptied(scene: Scene, column: Column) -> Injection:
    told = f"mail about {column.name}"
    expects = [
        alarm_expected("missing_jump", words=("missing_jump",), within=ALARM_SECONDS)[0],
        Expectation(told=told, what="mail", words=(column.name,), within=ALARM_SECONDS + MAIL_SECONDS),
    ]
    if scene.retrains_on("drift"):
        expects += _judged(("data bug",))
    return Injection(
        told=f"{column.name} is empty in each row",
        expects=(*expects, _no_retraining(SILENT_SECONDS), nothing_fails()),
        strike=lambda: _ask_about(scene, emptied(scene.calm, column)),
        alarms=frozenset({"missing_jump", "drift_alarm"}),
    )


def _left_out(scene: Scene, column: Column) -> Injection:
    refusal = Expectation(
        told=f"requests are refused, and {column.name} is named",
        what="trouble",
        became=("422",),
        words=(column.name,),
        within=5.0,
    )
    errors = Expectation(
        told="no request fails otherwise",
        what="trouble",
        became=("500", "503", "broken"),
        within=0,
        never=True,
    )
    alarm = alarm_expected("refused_rate", words=("refused_rate",), within=ALARM_SECONDS)
    return Injection(
        told=f"{column.name}, which a row must have, is not sent",
        expects=(refusal, *alarm, _no_retraining(SILENT_SECONDS), errors),
        strike=lambda: _ask_about(scene, left_out(scene.calm, column)),
        alarms=frozenset({"refused_rate"}),
    )


def _judged(verdicts: tuple[str, ...]) -> list[Expectation]:
    told = f"verdict: {' or '.join(verdicts)}"
    return [Expectation(told=told, what="verdict", became=verdicts, within=VERDICT_SECONDS)]


def _promoted() -> list[Expectation]:
    return [
        Expectation(
            told="retraining: its challenger is accepted",
            what="retraining",
            became=("accepted",),
            within=TRAINED_SECONDS,
        ),
        Expectation(told="rollout: promoted", what="rollout", became=("promoted",), within=PROMOTED_SECONDS),
        Expectation(told="journal: promotion", what="journal", about="promotion", within=PROMOTED_SECONDS),
        Expectation(
            told="mail about the promotion",
            what="mail",
            words=("takes all requests",),
            within=PROMOTED_SECONDS + MAIL_SECONDS,
        ),
    ]


def _no_retraining(within: float) -> Expectation:
    return Expectation(told="no retraining", what="retraining", within=within, never=True)


def _ask_about(scene: Scene, world: World) -> tuple[()]:
    scene.traffic.ask_about(world, CROWD)
    return ()


FAULTS = (
    Fault(
        name="covariate-drift",
        about="what is asked about has moved",
        place="covariate",
        prepare=covariate_drift,
    ),
    Fault(
        name="concept-drift",
        about="what comes true has changed",
        place="concept",
        prepare=concept_drift,
    ),
    Fault(name="missing-column", about="a column is missing", place="missing", prepare=missing_column),
)
