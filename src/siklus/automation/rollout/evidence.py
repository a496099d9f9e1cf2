"""Evidence: what a rollout knows at one look, gathered from counts, records and the bundles themselves."""

from datetime import datetime, timedelta

from siklus.automation.rollout.counting import step_counts
from siklus.automation.rollout.pairs import Pairs
from siklus.automation.rollout.rollout import Evidence, Rollout
from siklus.automation.rollout.weighing import allocation_of, alpha_of_each, failures_of, latency_of
from siklus.bundle.read import Bundle, cached, open_cached
from siklus.bundle.rehearsal import rehearse
from siklus.errors import BundleError, FileError, MissingExtra, RecordsError
from siklus.events import tell
from siklus.ledgers.layouts import LATENCY_BUCKETS
from siklus.monitor.looks import Looks
from siklus.project.durations import seconds_or_zero
from siklus.project.file import OpenProject
from siklus.records.layout import Layout
from siklus.registry.policy import PolicyArm
from siklus.registry.publish import trusted_by
from siklus.train.metric import metric_of


class Gatherer:
    """Gathers the evidence of one rollout after another. Opened once, asked at each look.

    The same labelled rows are never asked about twice as long as it lives.
    """

    def __init__(self, project: OpenProject, looks: Looks) -> None:
        self._project, self._looks = project, looks
        self._opened: dict[tuple[str, int], Bundle] = {}
        self._pairs: Pairs | None = None
        self._pairs_of: tuple[PolicyArm, PolicyArm, datetime] | None = None

    def gather(self, rollout: Rollout, *, now: datetime) -> Evidence:
        """What counts, labels and bundles say at this moment.

        Errors are those of the control database. Where the champion cannot be opened here, nothing is said of
        quality; while the records cannot be read, what they said before.
        """
        (unfit, challenger), (_, champion) = (
            self._opened_of(rollout.challenger),
            self._opened_of(rollout.champion),
        )
        both = None if challenger is None or champion is None else (challenger, champion)
        if both is not None and both[0].contract.task != both[1].contract.task:
            unfit, both = f"it answers a {both[0].contract.task}", None
        settled = rollout.since + timedelta(seconds=seconds_or_zero(rollout.plan.settle))
        counted = step_counts(
            self._looks.grown(settled, now),
            step=rollout.plan.steps[rollout.step],
            versions=(rollout.challenger.version, rollout.champion.version),
            sticky=rollout.sticky,
            other_contract=both is not None and both[0].contract != both[1].contract,
        )
        pairs = None if both is None else self._labelled(rollout, *both)
        return Evidence(
            counted=counted,
            failures=failures_of(rollout, counted),
            latency=latency_of(rollout, counted, bounds=LATENCY_BUCKETS),
            allocation=allocation_of(rollout, counted),
            quality=None if pairs is None else pairs.challenge(alpha=alpha_of_each(rollout.plan)),
            champion_loss=None if pairs is None else pairs.champion_loss,
            labels=0 if pairs is None else len(pairs),
            unfit=unfit,
        )

    def _labelled(self, rollout: Rollout, challenger: Bundle, champion: Bundle) -> Pairs:
        of = (rollout.challenger, rollout.champion, rollout.began)
        if self._pairs is None or self._pairs_of != of:
            metric, layout = metric_of(self._project.settings), Layout(self._project.paths.records)
            self._pairs = Pairs(layout, challenger, champion, metric=metric, since=rollout.began)
            self._pairs_of = of
        try:
            self._pairs.read()
        except (RecordsError, FileError) as error:  # what was counted speaks all the same
            tell("labels_not_read", level="error", code=error.code, reason=str(error))
        return self._pairs

    def _opened_of(self, arm: PolicyArm) -> tuple[str, Bundle | None]:
        """Why it cannot be served, or the bundle: what a server does with it at its start is done here."""
        bundles = self._project.paths.bundles
        try:
            bundle = self._bundle(arm)
        except (BundleError, MissingExtra) as error:
            return str(error), None
        if cached(arm.digest, bundles) is None:
            return f"{bundles / arm.digest} is damaged, or gone", None
        return "", bundle

    def _bundle(self, arm: PolicyArm) -> Bundle:
        """Opened and rehearsed once, as long as the arms stay the same two."""
        key = (arm.digest, arm.version)
        if key not in self._opened:
            opened = open_cached(
                arm.digest,
                self._project.paths.bundles,
                version=str(arm.version),
                trusted=trusted_by(self._project),
            )
            rehearse(opened)
            self._opened = {**dict(list(self._opened.items())[-1:]), key: opened}
        return self._opened[key]
