"""Google's levels 0 to 2: how far training, and then the pipeline itself, run without hands.

Google Cloud Architecture Center: MLOps: Continuous delivery and automation pipelines in machine learning,
reviewed 2023-05-18. Of level 1 its characteristics and additional components, of level 2 its components and
the stages of its pipeline. Left out: the feature store, which the text itself calls optional.
"""

from siklus.assess.rubrics.rubric import Criterion, Level, Rubric

LEVEL_1, LEVEL_2 = "level 1", "level 2"

_LEVEL_1 = (
    Criterion(
        key="1.1",
        section=LEVEL_1,
        title="Rapid experiments",
        asks="The steps of an experiment are orchestrated: from rows to an evaluated model without hands.",
        needs=(("trained",),),
    ),
    Criterion(
        key="1.2",
        section=LEVEL_1,
        title="Continuous training",
        asks="The model is trained anew in production, on fresh rows, by live triggers.",
        needs=(("retrained-by-trigger", "retrain-set", "workflow-schedule"),),
    ),
    Criterion(
        key="1.3",
        section=LEVEL_1,
        title="One pipeline everywhere",
        asks="What trains in experiments is what trains in production.",
        needs=(("trained",), ("retrained",)),
    ),
    Criterion(
        key="1.4",
        section=LEVEL_1,
        title="Continuous delivery of models",
        asks="A model that was trained and validated comes to its users as a service without hands.",
        needs=(("promoted-by-loop", "rollout-set"),),
    ),
    Criterion(
        key="1.5",
        section=LEVEL_1,
        title="The whole pipeline is deployed",
        asks="What is deployed is not a model but the pipeline that makes it, which runs again and again.",
        needs=(("retrained", "workflow-schedule", "stack-files"), ("watched",)),
    ),
    Criterion(
        key="1.6",
        section=LEVEL_1,
        title="Rows are validated",
        asks="New rows are held against a contract, and against training, before anything learns from them.",
        needs=(("contract-held", "contract"), ("drift-watched",)),
    ),
    Criterion(
        key="1.7",
        section=LEVEL_1,
        title="Models are validated",
        asks="A new model must keep bounds, and be no worse than the live one, before it is released.",
        needs=(("gates-held", "gates-set"), ("challenger-judged",)),
    ),
    Criterion(
        key="1.8",
        section=LEVEL_1,
        title="Metadata",
        asks="Each run of the pipeline leaves who, when, from what, with which parameters and to what end.",
        needs=(("traced",),),
    ),
    Criterion(
        key="1.9",
        section=LEVEL_1,
        title="Triggers",
        asks="The pipeline starts by schedule, by new rows, or because quality or distributions moved.",
        needs=(("retrained-by-trigger", "retrain-set", "workflow-schedule"),),
    ),
)
_LEVEL_2 = (
    Criterion(
        key="2.1",
        section=LEVEL_2,
        title="Source control",
        asks="What an experiment comes to is the pipeline's source, pushed to a repository.",
        needs=(("committed", "repository"),),
    ),
    Criterion(
        key="2.2",
        section=LEVEL_2,
        title="Continuous integration",
        asks="Each change is built and tested: the project's own code, and that a training converges.",
        needs=(
            ("pipeline-tests", "ask:pipeline-elsewhere", "workflow"),
            ("pipeline-trains", "ask:pipeline-elsewhere", "workflow"),
        ),
    ),
    Criterion(
        key="2.3",
        section=LEVEL_2,
        title="Continuous delivery of the pipeline",
        asks="What integration has built is deployed to its target, asked there, and taken back if it fails.",
        needs=(("pipeline-deploys", "ask:pipeline-elsewhere", "workflow"),),
    ),
    Criterion(
        key="2.4",
        section=LEVEL_2,
        title="Triggered by itself",
        asks="In production the pipeline runs by schedule or trigger, and its model goes to the registry.",
        needs=(("retrained-by-trigger", "retrain-set", "workflow-schedule"), ("staged",)),
    ),
    Criterion(
        key="2.5",
        section=LEVEL_2,
        title="Registry",
        asks="Models are kept by version and stage, and it is known which of them was live when.",
        needs=(("staged",), ("live-decided",)),
    ),
    Criterion(
        key="2.6",
        section=LEVEL_2,
        title="Models are delivered",
        asks="A new model comes to its users step by step, and the one before can be brought back.",
        needs=(("promoted-by-loop", "rollout-set"), ("rolled-back", "former-kept")),
    ),
    Criterion(
        key="2.7",
        section=LEVEL_2,
        title="Monitoring leads to action",
        asks="Live statistics are gathered, and start a training or an experiment.",
        needs=(("watched",), ("retrained-by-signal", "retrained-by-trigger")),
    ),
)

GOOGLE = Rubric(
    name="google",
    title="Google MLOps",
    source="Google Cloud, MLOps: Continuous delivery and automation pipelines in machine learning, 2023",
    url="https://cloud.google.com/architecture/mlops-continuous-delivery-and-automation-pipelines-in-machine-learning",
    criteria=(*_LEVEL_1, *_LEVEL_2),
    levels=(
        Level(number=0, name="by hand", means="models are made and released by hand"),
        Level(number=1, name="the training runs by itself", means="new models come by triggers, validated"),
        Level(
            number=2, name="the pipeline is delivered by itself", means="its code is tested and deployed too"
        ),
    ),
    sections={
        LEVEL_1: "Level 1: the training runs by itself",
        LEVEL_2: "Level 2: the pipeline is delivered by itself",
    },
)
