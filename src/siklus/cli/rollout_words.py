"""How a rollout stands, in plain words."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from siklus.automation.reasons import sentence
from siklus.automation.rollout.accounts import PHASES, part
from siklus.automation.rollout.rollout import Evidence, Rollout
from siklus.automation.rollout.table import Looked
from siklus.monitor.amounts import amount, counted, length_of_time

SECOND = timedelta(seconds=1)
TESTS = {
    "failures": "it fails more often",
    "latency": "it is too slow",
    "quality": "its answers are worse",
    "allocation": "requests do not fall to the two as they should",
}


def standing(rollout: Rollout, looked: Looked | None, *, now: datetime) -> list[str]:
    """A line each: what is tried, where it stands, what was seen, and what was said of it last."""
    challenger, champion = rollout.challenger.version, rollout.champion.version
    lines = [
        f"{rollout.kind.capitalize()} {rollout.number} is {PHASES[rollout.phase]}: "
        f"version {challenger} beside version {champion}, begun {_ago(rollout.began, now)} by {rollout.by}."
    ]
    if rollout.going_on:
        step = f"Step {rollout.step + 1} of {len(rollout.plan.steps)}: " if rollout.kind == "rollout" else ""
        lines.append(f"{step}version {challenger} {part(rollout)}, for {_length(rollout.since, now)}.")
    if looked is not None:
        lines.append(f"Seen {_ago(looked.time, now)}:")
        lines += [f"  {line}" for line in seen(rollout, looked.evidence)]
    elif rollout.going_on:
        lines.append("Nobody has looked yet: `siklus up` does.")
    if rollout.standing:
        said = ", ".join(TESTS.get(name, name) for name in rollout.standing)
        lines.append(f"Against version {challenger}: {said}.")
    if rollout.reason:
        lines.append(
            f"{'Now' if rollout.going_on and looked is not None else 'Why'}: {sentence(rollout.reason)}"
        )
    return lines


def seen(rollout: Rollout, evidence: Evidence) -> Iterator[str]:
    """What the tests say, each in a line; those that say nothing yet, too."""
    counts, (new, old) = evidence.counted, (rollout.challenger.version, rollout.champion.version)
    yield (
        f"requests on this step: {counts.requests[0]:,} to version {new}, "
        f"{counts.requests[1]:,} to version {old}"
    )
    failures = evidence.failures
    more = (
        "fails more often" if failures is not None and failures.worse else "is not shown to fail more often"
    )
    yield f"failures: {counts.failures[0]:,} and {counts.failures[1]:,}; version {new} {more}"
    yield f"latency: {_latency(evidence)}"
    yield f"quality: {_quality(evidence)}"
    if evidence.allocation is not None and evidence.allocation.mismatch:
        yield f"allocation: {TESTS['allocation']}"
    if evidence.unfit:
        yield f"version {new} cannot be served: {evidence.unfit}"


def _latency(evidence: Evidence) -> str:
    latency = evidence.latency
    if latency is None:
        return "nothing can be said yet"
    budget = f"{amount(latency.share, 'share')} of the requests within {length_of_time(latency.budget)}"
    words = {"over": "not kept", "within": "kept", "unclear": "not clear yet"}
    return f"{budget} is what is allowed: {words[latency.verdict]}"


def _quality(evidence: Evidence) -> str:
    quality = evidence.quality
    if quality is None:
        return f"nothing can be said yet, with {counted(evidence.labels, 'label')}"
    bounds = "too few for bounds"
    if quality.low is not None and quality.high is not None:
        bounds = f"between {quality.low:+.4g} and {quality.high:+.4g}"
    return (
        f"on {counted(evidence.labels, 'label')} its loss is {quality.mean:+.4g} beside the other's, {bounds}"
    )


def _ago(time: datetime, now: datetime) -> str:
    return "just now" if now - time < SECOND else f"{_length(time, now)} ago"


def _length(time: datetime, now: datetime) -> str:
    return length_of_time(max((now - time) // SECOND, 1))  # less than that where the clock was set back
