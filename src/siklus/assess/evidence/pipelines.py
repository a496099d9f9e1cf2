"""What runs of the project's pipeline on this machine came to."""

from collections.abc import Iterator, Mapping

from siklus.assess.facts import FULL, HALF, Sighting, Trace
from siklus.deploy.pipelines.record import PipelineRun, kept
from siklus.project.file import OpenProject

# What must have said yes in one run.
SHOWN: Mapping[str, frozenset[str]] = {
    "pipeline-tests": frozenset({"test"}),
    "pipeline-trains": frozenset({"data", "train", "gates"}),
    "pipeline-builds": frozenset({"image"}),
    "pipeline-deploys": frozenset({"deploy", "smoke"}),
}
COMMIT = "git add . && git commit && siklus ci"


def ran(project: OpenProject) -> Iterator[Sighting]:
    """The signs of stages that passed; half where no commit holds what ran."""
    for run in kept(project.paths.state):
        passed = {each.stage for each in run.stages if each.verdict == "yes"}
        for sign, stages in SHOWN.items():
            if passed >= stages:
                yield Sighting(sign, _trace(run, stages))


def _trace(run: PipelineRun, stages: frozenset[str]) -> Trace:
    clean = run.commit is not None and not run.dirty
    told = f"of commit {run.commit[:10]}" if clean and run.commit else "of what no commit holds"
    return Trace(
        kind="exercised",
        said=f"passed {told}: {', '.join(sorted(stages))}",
        where=f"siklus ci, {run.time:%Y-%m-%d %H:%M}",
        when=run.time,
        most=FULL if clean else HALF,
        mend="" if clean else COMMIT,
    )
