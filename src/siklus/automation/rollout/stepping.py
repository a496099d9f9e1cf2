"""What a rollout does next: a function of its state, the evidence of this look, and the time.

In this order, and the first that applies: a challenger that cannot be served, or that a test has found worse,
is rolled back, even while the rollout is paused. A pause holds everything else. A rollout that takes too
long is given up. Then it holds until nothing is missing for the next step, and all requests are the
challenger's only on evidence about its answers.
"""

from collections.abc import Iterator
from datetime import datetime

from siklus.automation.rollout.rollout import Decision, Evidence, Rollout
from siklus.monitor.amounts import amount, counted, length_of_time
from siklus.project.durations import seconds_of, seconds_or_zero
from siklus.stats.challenge import ChallengeEvidence

FULL = 1.0  # the step on which nothing is left to the champion: to reach it is to be promoted
# Tests that end a rollout. How good an experiment's arms are is what it asks: that ends none.
AGAINST = {"rollout": ("failures", "latency", "quality"), "experiment": ("failures", "latency")}


def next_step(rollout: Rollout, evidence: Evidence, *, now: datetime) -> Decision:
    """One decision. `transitions.applied` makes the rollout's next state of it; "hold" does nothing."""
    standing = spoken(rollout, evidence)
    if not rollout.going_on:
        return Decision(action="hold", reason="it is over", standing=rollout.standing)
    if evidence.unfit:
        return Decision(action="roll_back", reason=_unfit(rollout, evidence), standing=standing)
    worse = [name for name in AGAINST[rollout.kind] if name in standing]
    if worse:
        said = "; ".join(_against(name, rollout, evidence) for name in worse)
        return Decision(action="roll_back", reason=said, standing=standing)
    if rollout.phase == "paused":
        return Decision(action="hold", reason="it is paused", standing=standing)
    if rollout.kind == "experiment":
        return Decision(action="hold", reason=_experiment(rollout, evidence, standing), standing=standing)
    missing = "; ".join(lacking(rollout, evidence, standing=standing, now=now))
    if taken(rollout, now=now) >= seconds_of(rollout.plan.give_up):
        told = f"it has taken {length_of_time(taken(rollout, now=now))}, and may take {rollout.plan.give_up}"
        lacked = f": {missing}" if missing else ""
        return Decision(action="give_up", reason=f"{told}{lacked}", standing=standing)
    if missing:
        return Decision(action="hold", reason=missing, standing=standing)
    if _next_is_full(rollout):
        return Decision(action="promote", reason=_no_worse(rollout, evidence), standing=standing)
    share = float(rollout.plan.steps[rollout.step + 1])
    seen = counted(evidence.counted.requests[0], "request")
    return Decision(
        action="advance",
        reason=f"nothing speaks against {_challenger(rollout)} after {seen}: to {amount(share, 'share')}",
        standing=standing,
    )


def spoken(rollout: Rollout, evidence: Evidence) -> tuple[str, ...]:
    """Tests that speak against the challenger, or the split, now or at any look before."""
    now = {
        "failures": evidence.failures is not None and evidence.failures.worse,
        "latency": evidence.latency is not None and evidence.latency.verdict == "over",
        "quality": _is_worse(rollout, evidence),
        "allocation": evidence.allocation is not None and evidence.allocation.mismatch,
    }
    return tuple(name for name, speaks in now.items() if speaks or name in rollout.standing)


def lacking(
    rollout: Rollout, evidence: Evidence, *, standing: tuple[str, ...], now: datetime
) -> Iterator[str]:
    """What a rollout that goes on still lacks for its next step, each in words; nothing when it may go."""
    plan, here = rollout.plan, rollout.plan.steps[rollout.step]
    on_step = (now - rollout.since).total_seconds()
    if on_step < 0:
        yield f"this step begins in the future, at {rollout.since:%Y-%m-%d %H:%M}: the clock was set back"
    elif on_step < seconds_or_zero(plan.hold):
        yield f"{length_of_time(on_step)} of {plan.hold} on this step"
    if "allocation" in standing:
        yield "requests do not fall to the arms as they should, so nothing can be said of either"
    requests = evidence.counted.requests[0] if evidence.counted.step == here else 0
    if requests < plan.min_requests:
        yield f"{requests:,} of {counted(plan.min_requests, 'request')} on this step"
    if rollout.step + 1 == len(plan.steps):
        yield "its plan ends here: `siklus promote` goes on"
    elif _next_is_full(rollout):
        yield from _unproven(rollout, evidence)


def taken(rollout: Rollout, *, now: datetime) -> float:
    """Seconds since the rollout began, without its pauses; below 0 where the clock was set back."""
    return (now - rollout.began).total_seconds() - rollout.rested


def margin_of(rollout: Rollout, evidence: Evidence) -> float:
    """By how much the challenger may be worse, in the unit of its loss: 0 where the champion's is unknown."""
    return rollout.plan.margin * (evidence.champion_loss or 0.0)


def _is_worse(rollout: Rollout, evidence: Evidence) -> bool:
    """By more than the margin: two models that are alike over a year differ a little in every week of it."""
    quality = evidence.quality
    return quality is not None and quality.low is not None and quality.low > margin_of(rollout, evidence)


def _next_is_full(rollout: Rollout) -> bool:
    """Is promotion what comes next?"""
    return rollout.plan.steps[rollout.step + 1 : rollout.step + 2] == (FULL,)


def _unproven(rollout: Rollout, evidence: Evidence) -> Iterator[str]:
    """What is not yet shown of the challenger's answers. Without outcomes that stays so."""
    least, quality = rollout.plan.min_labels, evidence.quality
    if quality is None or not evidence.labels:
        yield f"0 of {counted(max(least, 1), 'label')}: without outcomes nobody knows whether it is any good"
    elif evidence.labels < least:
        yield f"{evidence.labels:,} of {counted(least, 'label')}"
    elif quality.worse:
        yield f"{evidence.labels:,} labels show that it is a little worse: its loss is {_beside(quality)}"
    elif not quality.no_worse_than(margin_of(rollout, evidence)):
        atmost = "unknown" if quality.high is None else f"at most {quality.high:+.4g}"
        allowed = f"{margin_of(rollout, evidence):.4g}"
        yield (
            f"{evidence.labels:,} labels do not show yet that it is no worse: "
            f"its loss is {quality.mean:+.4g} beside the champion's, {atmost}, where {allowed} is allowed"
        )


def _no_worse(rollout: Rollout, evidence: Evidence) -> str:
    quality = evidence.quality
    if quality is None or quality.high is None:
        raise ValueError("a promotion without evidence")
    return (
        f"{_challenger(rollout)} is no worse on {evidence.labels:,} labels: its loss is {quality.mean:+.4g} "
        f"beside the champion's, at most {quality.high:+.4g}, "
        f"where {margin_of(rollout, evidence):.4g} is allowed"
    )


def _challenger(rollout: Rollout) -> str:
    return f"version {rollout.challenger.version}"


def _unfit(rollout: Rollout, evidence: Evidence) -> str:
    return f"{_challenger(rollout)} cannot be served: {evidence.unfit}"


def _against(test: str, rollout: Rollout, evidence: Evidence) -> str:
    """What the test says; where it spoke at an earlier look and is quieter now, that it did."""
    who, failures, latency = _challenger(rollout), evidence.failures, evidence.latency
    if test == "failures" and failures is not None and failures.worse:
        return (
            f"{who} fails more often: {failures.canary:,} of {counted(failures.failures, 'failure')} "
            f"are its, where {failures.expected:.1f} would be its part"
        )
    if test == "latency" and latency is not None and latency.verdict == "over":
        return (
            f"{who} is too slow: {amount(latency.share, 'share')} of its requests take up to more than "
            f"{length_of_time(latency.low)}, where {length_of_time(latency.budget)} is allowed"
        )
    quality = evidence.quality
    if test == "quality" and quality is not None and _is_worse(rollout, evidence):
        return f"{who} is worse on {counted(evidence.labels, 'label')}: its loss is {_beside(quality)}"
    return f"an earlier look has found {who} worse by its {test}"


def _beside(quality: ChallengeEvidence) -> str:
    return f"{quality.mean:+.4g} beside the champion's, at least {quality.low:+.4g}"


def _experiment(rollout: Rollout, evidence: Evidence, standing: tuple[str, ...]) -> str:
    seen = counted(evidence.counted.requests[0], "request")
    off = "; requests do not fall to the arms as they should" if "allocation" in standing else ""
    return f"an experiment: {seen} to {_challenger(rollout)}, until somebody stops it{off}"
