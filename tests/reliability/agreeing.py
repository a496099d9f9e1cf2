"""Agreeing: what is kept of a model is one story, whoever was killed while it was written."""

from collections import Counter

import msgspec

from siklus.automation.retraining.retrainings import Retrainings
from siklus.automation.rollout.accounts import Turned
from siklus.automation.rollout.allotments import allotment_of
from siklus.automation.rollout.rollout import Rollout
from siklus.automation.rollout.rollouts import Rollouts
from siklus.monitor.alerts.outbox import Outbox
from siklus.project.file import OpenProject
from siklus.registry.control import open_control
from siklus.registry.journal import Entry, Journal
from siklus.registry.published import PUBLISHED, found_policy
from siklus.registry.stages import Stage
from siklus.registry.traffic import Traffic
from siklus.registry.versions import Registry
from siklus.tracking.mlflow import open_tracking

MANY = 1_000_000
TURNS = ("rollout", "promotion", "rollback")  # kinds of entries that a rollout's turns are journaled under


class Story:
    """Everything that was decided for one model, read once."""

    def __init__(self, project: OpenProject) -> None:
        self.project, model = project, project.settings.project.name
        with open_control(None, file=project.paths.control_database) as control:
            self.entries = list(reversed(Journal(control, model).history(limit=MANY)))
            self.policies = list(reversed(Traffic(control, model).history(limit=MANY)))
            self.rollouts = list(reversed(Rollouts(control, model).history(limit=MANY)))
            self.jobs = list(reversed(Retrainings(control, model).history(limit=MANY)))
            self.waiting = Outbox(control, model).waiting(limit=MANY)

    def of(self, *kinds: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind in kinds]

    def promoted(self) -> list[Rollout]:
        return [rollout for rollout in self.rollouts if rollout.phase == "promoted"]

    def check(self) -> None:
        """No entry lost, none doubled, and state, policy, journal and what is told agree."""
        self._check_policies()
        for rollout in self.rollouts:
            self._check_rollout(rollout)
        self._check_jobs()
        self._check_told()

    def _check_policies(self) -> None:
        """Each revision but the first was made by one turn, which the journal has once."""
        assert [policy.revision for policy in self.policies] == list(range(1, len(self.policies) + 1))
        made = [turn.traffic for turn in self._turns() if turn.turn != "hold"]
        assert made == list(range(2, len(self.policies) + 1))

    def _check_rollout(self, rollout: Rollout) -> None:
        turns = [turn for turn in self._turns() if turn.rollout == rollout.number]
        kinds = Counter(turn.turn for turn in turns)
        assert kinds["begin"] == 1
        assert kinds["advance"] == rollout.step
        ends = kinds["promote"] + kinds["roll_back"] + kinds["give_up"]
        assert ends == (0 if rollout.going_on else 1), kinds
        last = self.policies[rollout.traffic - 1]
        assert allotment_of(rollout, self.policies[rollout.traffic - 2].allotment) == last.allotment

    def _check_jobs(self) -> None:
        """Numbers without gaps, each begun once and ended once, each started as often as it says."""
        assert [job.number for job in self.jobs] == list(range(1, len(self.jobs) + 1))
        for job in self.jobs:
            about = [entry.text for entry in self.of("retraining", "challenger")]
            named = [text for text in about if text.startswith(f"retraining {job.number} ")]
            named += [text for text in about if text.startswith(f"retraining {job.number},")]
            assert sum(" begins" in text for text in named) == 1
            assert sum(" trains" in text for text in named) == job.attempts
            over = sum(f" {word}:" in text for text in named for word in ("refused", "failed", "accepted"))
            assert over == (0 if job.under_way else 1), named
            mine = [rollout.number for rollout in self.rollouts if rollout.retraining == job.number]
            assert mine == ([] if job.rollout is None else [job.rollout])

    def _check_told(self) -> None:
        """Every piece of news waits or was delivered, at least once."""
        news = [entry.text for entry in self.of("promotion", "rollback", "challenger")]
        texts = [entry.text for entry in self.of("notification")]
        told = "\n".join(texts)
        waiting = "\n".join(each.headline for wait in self.waiting for each in wait.notification.news)
        for text in news:
            headline = text.partition(": ")[0]
            assert headline in told or headline in waiting, headline

    def _turns(self) -> list[Turned]:
        return [msgspec.json.decode(entry.evidence, type=Turned) for entry in self.of(*TURNS)]


def settled(project: OpenProject) -> str:
    """What is not yet as was decided last, in words; "" when servers, registry and decisions agree."""
    story = Story(project)
    policy, published = story.policies[-1], found_policy(project.paths.run / PUBLISHED)
    if published != policy:
        return f"revision {policy.revision} is not published"
    held = stages_of(project)
    if held.get(policy.allotment.champion.version) != "production":
        return f"version {policy.allotment.champion.version} is not in production: {held}"
    return ""


def stages_of(project: OpenProject) -> dict[int, Stage | None]:
    registry = Registry(open_tracking(project.settings.state.tracking_uri, paths=project.paths))
    return {each.number: each.stage for each in registry.versions(project.settings.project.name)}
