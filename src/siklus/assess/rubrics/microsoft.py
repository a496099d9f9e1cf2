"""Microsoft's maturity model, levels 0 to 4, along people, model creation, release and integration.

Azure Architecture Center: MLOps maturity model, 2025-10-28. Its tables are taken whole; of its list of
Azure's own products, what they are for. "Managed feature store", which only that list names, is left out.
"""

from siklus.assess.rubrics.rubric import Criterion, Level, Rubric

LEVEL_1, LEVEL_2, LEVEL_3, LEVEL_4 = (f"level {number}" for number in range(1, 5))
_RUN = "ask:pipeline-elsewhere"  # a pipeline that has run somewhere else counts as one that has run here

_LEVEL_1 = (
    Criterion(
        key="1.1",
        section=LEVEL_1,
        title="Code has versions",
        asks="Code, and how the model is called, are under version control.",
        needs=(("committed", "repository"),),
    ),
    Criterion(
        key="1.2",
        section=LEVEL_1,
        title="Builds and tests are automatic",
        asks="The project's code has tests, and a pipeline builds and runs them.",
        needs=(("pipeline-tests", _RUN, "workflow"),),
    ),
    Criterion(
        key="1.3",
        section=LEVEL_1,
        title="Rows are gathered by a pipeline",
        asks="Rows come from their source by a declared way, not by hand.",
        needs=(("trained",),),
    ),
    Criterion(
        key="1.4",
        section=LEVEL_1,
        title="The application is released by a pipeline",
        asks="The application that calls the model has unit tests, and its releases are automatic.",
        needs=(("ask:application-released",),),
    ),
)
_LEVEL_2 = (
    Criterion(
        key="2.1",
        section=LEVEL_2,
        title="People: one repeatable way",
        asks="Modellers and data engineers turn experiments into repeatable jobs together.",
        needs=(("ask:with-engineers",),),
    ),
    Criterion(
        key="2.2",
        section=LEVEL_2,
        title="Training is automatic",
        asks="Trainings recur by schedule or event.",
        needs=(("retrained", "retrain-set", "workflow-schedule"),),
    ),
    Criterion(
        key="2.3",
        section=LEVEL_2,
        title="Compute is managed",
        asks="Where trainings run is set up from files, and traceable.",
        needs=(("ask:managed-compute", "image-files"), ("traced",)),
    ),
    Criterion(
        key="2.4",
        section=LEVEL_2,
        title="Experiments are tracked",
        asks="Results of trainings are kept in one place, with what led to them.",
        needs=(("traced",),),
    ),
    Criterion(
        key="2.5",
        section=LEVEL_2,
        title="Code and models have versions",
        asks="Training code and models are both under version control, in repository and registry.",
        needs=(("committed", "repository"), ("staged",)),
    ),
    Criterion(
        key="2.6",
        section=LEVEL_2,
        title="Models are easy to reproduce",
        asks="A registered model can be made again from what is kept.",
        needs=(("reproduced", "rows-kept"),),
    ),
    Criterion(
        key="2.7",
        section=LEVEL_2,
        title="Scoring is tested",
        asks="What answers requests is under version control and has tests; the model has integration tests.",
        needs=(("skew-disproved", "drilled-input", "pipeline-deploys"),),
    ),
)
_LEVEL_3 = (
    Criterion(
        key="3.1",
        section=LEVEL_3,
        title="People: releases are shared work",
        asks="Developers work with those who model and provide data on inputs, outputs and integration.",
        needs=(("ask:with-developers",),),
    ),
    Criterion(
        key="3.2",
        section=LEVEL_3,
        title="Releases are automatic",
        asks="A model that passed comes to its users without hands.",
        needs=(("promoted-by-loop", "rollout-set"),),
    ),
    Criterion(
        key="3.3",
        section=LEVEL_3,
        title="A pipeline manages releases",
        asks="Integration and delivery run as a pipeline, from commit to an asked service.",
        needs=(("pipeline-deploys", _RUN, "workflow"),),
    ),
    Criterion(
        key="3.4",
        section=LEVEL_3,
        title="Each release is tested",
        asks="Each release of a model passes unit and integration tests.",
        needs=(("gates-held", "gates-set"), ("pipeline-tests", _RUN, "workflow")),
    ),
    Criterion(
        key="3.5",
        section=LEVEL_3,
        title="Versions are compared live",
        asks="A new model's performance is compared on live requests before it is deployed to all.",
        needs=(("compared-live", "rollout-set"),),
    ),
    Criterion(
        key="3.6",
        section=LEVEL_3,
        title="From what is live back to its rows",
        asks="Whatever is live can be traced to the run, the code and the very rows that it came from.",
        needs=(("live-decided",), ("traced",), ("committed", "repository")),
    ),
    Criterion(
        key="3.7",
        section=LEVEL_3,
        title="Every environment is managed",
        asks="Training, test and production are set up from files.",
        needs=(
            ("pipeline-builds", "ask:managed-compute", "image-files"),
            ("ask:managed-compute", "stack-files"),
        ),
    ),
)
_LEVEL_4 = (
    Criterion(
        key="4.1",
        section=LEVEL_4,
        title="People: what happens after release",
        asks="Developers gather what the model does after release, and it is settled who answers for it.",
        needs=(("ask:with-operations",),),
    ),
    Criterion(
        key="4.2",
        section=LEVEL_4,
        title="Signals start trainings",
        asks="Drift or worse quality in production starts a training.",
        needs=(("retrained-by-signal", "retrain-set"),),
    ),
    Criterion(
        key="4.3",
        section=LEVEL_4,
        title="Production tells of itself",
        asks="The deployed model gives detailed metrics, gathered in one place, and somebody hears of them.",
        needs=(("watched", "metrics-files"), ("speed-watched", "metrics-files"), ("told", "alerts-set")),
    ),
    Criterion(
        key="4.4",
        section=LEVEL_4,
        title="Promotion by policy",
        asks="Stated rules on evidence decide which model comes to all requests.",
        needs=(("promoted-by-loop", "rollout-set"), ("challenger-judged",)),
    ),
    Criterion(
        key="4.5",
        section=LEVEL_4,
        title="Trainings are tested without hands",
        asks="Each automatic training is validated automatically, and the whole loop was proved to work.",
        needs=(("challenger-judged",), ("drilled-loop",)),
    ),
    Criterion(
        key="4.6",
        section=LEVEL_4,
        title="Hardly any downtime",
        asks="Failures of parts, and bad releases, do not interrupt the service.",
        needs=(("drilled-outage",), ("rolled-back",)),
    ),
)

MICROSOFT = Rubric(
    name="microsoft",
    title="Microsoft MLOps",
    source="Azure Architecture Center: MLOps maturity model (2025-10-28)",
    url="https://learn.microsoft.com/azure/architecture/ai-ml/guide/mlops-maturity-model",
    criteria=(*_LEVEL_1, *_LEVEL_2, *_LEVEL_3, *_LEVEL_4),
    levels=(
        Level(number=0, name="no MLOps", means="all is done by hand"),
        Level(number=1, name="DevOps, no MLOps", means="code is built and tested by itself, models are not"),
        Level(number=2, name="automated training", means="models are made, tracked and made again by jobs"),
        Level(number=3, name="automated deployment", means="models are tested and released by a pipeline"),
        Level(number=4, name="automated operations", means="production starts trainings and promotions"),
    ),
    sections={
        LEVEL_1: "Level 1: DevOps, no MLOps",
        LEVEL_2: "Level 2: automated training",
        LEVEL_3: "Level 3: automated deployment",
        LEVEL_4: "Level 4: automated operations",
    },
)
