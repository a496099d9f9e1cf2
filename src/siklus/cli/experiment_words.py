"""What an experiment has shown, in plain words."""

from siklus.automation.rollout.experiment import OUTCOME, ExperimentResult
from siklus.automation.rollout.rollout import Rollout
from siklus.monitor.amounts import amount


def verdict(experiment: Rollout, result: ExperimentResult) -> str:
    """One sentence, with its numbers."""
    new, old = f"version {experiment.challenger.version}", f"version {experiment.champion.version}"
    rows = f"{result.rows[0]:,} and {result.rows[1]:,} rows with outcomes"
    if result.mismatch:
        return "requests did not fall to the two as they should, so nothing can be said of either"
    if result.estimate is None:
        return f"nothing can be said yet of {new} and {old}, with {rows}"
    what = "mean outcome" if result.measured == OUTCOME else f"{result.measured}, row by row,"
    said = f"the {what} of {new} is {result.estimate:+.4g} beside that of {old}"
    if result.low is None or result.high is None:
        return f"{said}, on {rows}: too few to tell"
    bounds = f"between {result.low:+.4g} and {result.high:+.4g} ({amount(result.level, 'share')}), on {rows}"
    ends = {
        "better": f"{new} is better",
        "worse": f"{new} is worse",
        "unclear": "which of them is better is not clear yet",
    }
    return f"{ends[result.verdict]}: {said}, {bounds}"
