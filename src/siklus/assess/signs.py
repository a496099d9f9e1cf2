"""The signs that evidence gives: what each says of a project, where it is looked for, what would supply it.

Each is data; `evidence/` finds their traces, `rubrics/` asks for them. ``minutes`` orders advice: what a
person of little practice needs for the command; waiting for a training or for traffic is not counted.
"""

from collections.abc import Mapping

from msgspec import Struct

from siklus.assess.facts import Area


class Sign(Struct, frozen=True):
    """``missing``: how its absence is told; ``command``: the one that supplies it, once the signs are there
    that it comes ``after``."""

    area: Area
    missing: str
    command: str
    minutes: float
    after: tuple[str, ...] = ()


RETRAIN = "siklus retrain   # while `siklus up` runs"

SIGNS: Mapping[str, Sign] = {
    # What stands in the project's files.
    "contract": Sign("files", "no contract says what a row must be", "siklus contract infer", 2),
    "gates-set": Sign(
        "files", "[gates] bounds nothing", '$EDITOR siklus.toml   # [gates] accuracy = ">= 0.85"', 3
    ),
    "slices-set": Sign(
        "files",
        "no slice of the data has a bound of its own",
        '$EDITOR siklus.toml   # [gates] slices = { column = "…", mae = "<= 15" }',
        3,
    ),
    "trials-set": Sign(
        "files",
        "[train] trials leaves no room for a search",
        "$EDITOR siklus.toml   # [train] trials = 20",
        2,
    ),
    "retrain-set": Sign(
        "files",
        "[retrain] names nothing that starts a training",
        '$EDITOR siklus.toml   # [retrain] on = ["drift", "quality"]',
        3,
    ),
    "rollout-set": Sign(
        "files",
        "[rollout] names no steps to all requests",
        '$EDITOR siklus.toml   # [rollout] steps = ["shadow", 0.05, 0.25, 1.0]',
        3,
    ),
    "alerts-set": Sign(
        "files", "nobody is named who hears of alerts", "$EDITOR siklus.toml   # [notify.ops-mail]", 5
    ),
    "sensitive-set": Sign(
        "files", "the contract calls no column sensitive", '$EDITOR contract.json   # "sensitive": true', 3
    ),
    "tests-written": Sign("files", "no tests of the project's own", "$EDITOR tests/test_project.py", 30),
    "updates-watched": Sign(
        "files", "nothing tells of new versions of what is depended on", "$EDITOR .github/dependabot.yml", 5
    ),
    "workflow": Sign("files", "no pipeline file", "siklus deploy github", 2),
    "workflow-schedule": Sign(
        "files", "no pipeline file trains on a schedule or a call", "siklus deploy github", 2
    ),
    "image-files": Sign("files", "no Dockerfile", "siklus deploy docker", 2),
    "stack-files": Sign("files", "no files of a stack", "siklus deploy compose", 2),
    "metrics-files": Sign("files", "no files for Prometheus", "siklus deploy prometheus", 2),
    # What registered versions say of their trainings.
    "trained": Sign("registry", "nothing was trained", "siklus train", 1),
    "contract-held": Sign(
        "registry", "no training has held its rows against the contract", "siklus train", 1
    ),
    "columns-weighed": Sign("registry", "no training has measured what each column gives", "siklus train", 1),
    "tuned": Sign("registry", "no registered model's parameters were searched", "siklus train", 1),
    "simpler-tried": Sign("registry", "no simpler model was tried beside the chosen one", "siklus train", 1),
    "slices-held": Sign("registry", "no version had to hold a bound in each slice", "siklus train", 1),
    "gates-held": Sign("registry", "no version had to pass a gate", "siklus train", 1),
    "parity-held": Sign(
        "registry",
        "no certificate that the exported model's numbers are the trained one's",
        "siklus train",
        1,
    ),
    "traced": Sign(
        "registry", "no version says from which run, rows, seed and environment it is", "siklus train", 1
    ),
    "rows-kept": Sign("registry", "the rows of the newest version are not kept", "siklus train", 1),
    "committed": Sign(
        "registry",
        "no version was trained from a clean commit",
        "git add . && git commit && siklus train",
        3,
        after=("repository",),
    ),
    "reproduced": Sign(
        "registry",
        "no rows were trained on twice with the same result",
        "siklus train --force",
        1,
        after=("trained",),
    ),
    "trainings-timed": Sign(
        "registry",
        "no two trainings whose times could be held beside each other",
        "siklus train --force",
        1,
        after=("trained",),
    ),
    "staged": Sign("registry", "no version is in production", "siklus promote latest", 1, after=("trained",)),
    "former-kept": Sign(
        "registry", "there is no version to go back to", "siklus train --force", 1, after=("trained",)
    ),
    # What the journal says was decided.
    "live-decided": Sign("journal", "the journal knows of nothing that was live", "siklus up", 2),
    "retrained": Sign("journal", "the loop has not trained anew", RETRAIN, 10, after=("watched",)),
    "retrained-by-trigger": Sign("journal", "no trigger has started a training", "siklus up", 10),
    "retrained-by-signal": Sign(
        "journal",
        "neither drift nor quality nor an alert has started a training",
        "siklus drill --only concept-drift",
        5,
        after=("staged",),
    ),
    "challenger-judged": Sign(
        "journal",
        "no new model was held against the live one on recent labels",
        RETRAIN,
        10,
        after=("quality-watched",),
    ),
    "canaried": Sign(
        "journal",
        "no new version has met a share of the requests first",
        "siklus rollout start staging",
        10,
        after=("former-kept", "live-decided"),
    ),
    "promoted-by-loop": Sign(
        "journal", "no version came to all requests by the loop's own decision", "siklus up", 10
    ),
    "rolled-back": Sign(
        "journal", "nothing was ever rolled back", "siklus drill --only errors", 5, after=("staged",)
    ),
    "compared-live": Sign(
        "journal",
        "no two versions were compared on live requests with outcomes",
        "siklus experiment start staging",
        10,
        after=("former-kept", "live-decided"),
    ),
    "told": Sign(
        "journal", "no alert has reached anybody", "siklus drill --only covariate-drift", 5, after=("staged",)
    ),
    "skew-disproved": Sign(
        "journal",
        "nobody has proved that training and serving see the same numbers",
        "siklus verify-skew",
        1,
        after=("logged",),
    ),
    "drilled-loop": Sign(
        "journal",
        "no drill took a new model from its trigger to its users",
        "siklus drill --only concept-drift",
        5,
        after=("staged",),
    ),
    "drilled-input": Sign(
        "journal",
        "no drill has sent rows that break the contract",
        "siklus drill --only missing-column",
        3,
        after=("staged",),
    ),
    "drilled-outage": Sign(
        "journal",
        "no drill has killed a worker, filled the disk or damaged a bundle",
        "siklus drill --only dead-worker --only full-disk --only corrupt-bundle",
        3,
        after=("staged",),
    ),
    # What the watch and the records have seen.
    "watched": Sign("watch", "nobody watches the traffic", "siklus up", 2),
    "drift-watched": Sign("watch", "no look has judged drift", "siklus up", 5),
    "quality-watched": Sign(
        "watch", "no look has held answers against their outcomes (/feedback)", "siklus up", 5
    ),
    "age-watched": Sign("watch", "no look knows how old the model is", "siklus up", 2),
    "speed-watched": Sign("watch", "no look has seen latency and memory", "siklus up", 2),
    "drift-heard": Sign(
        "watch", "no rule alarms of drift", "$EDITOR siklus.toml   # [[alerts]], [notify.ops-mail]", 5
    ),
    "quality-heard": Sign(
        "watch", "no rule alarms of worse quality", "$EDITOR siklus.toml   # [[alerts]], [notify.ops-mail]", 5
    ),
    "age-heard": Sign(
        "watch", "no rule alarms of an old model", "$EDITOR siklus.toml   # [[alerts]], [notify.ops-mail]", 5
    ),
    "speed-heard": Sign(
        "watch", "no rule alarms of slow answers", "$EDITOR siklus.toml   # [[alerts]], [notify.ops-mail]", 5
    ),
    "logged": Sign("records", "no answered row was recorded", "siklus up", 2),
    # What repository and pipeline say.
    "repository": Sign(
        "git",
        "siklus.toml and contract.json are in no repository",
        "git init && git add . && git commit   # large data: into .gitignore",
        2,
    ),
    "pipeline-tests": Sign("pipelines", "no pipeline run has passed its tests", "siklus ci", 10),
    "pipeline-trains": Sign(
        "pipelines", "no pipeline run has checked the data, trained and passed the gates", "siklus ci", 10
    ),
    "pipeline-builds": Sign("pipelines", "no pipeline run has built the image", "siklus ci", 10),
    "pipeline-deploys": Sign(
        "pipelines", "no pipeline run has deployed and then asked the service", "siklus ci --deploy", 15
    ),
}
