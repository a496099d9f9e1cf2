"""The ML Test Score: 28 tests in four sections; the score is the least of the four sums.

E. Breck, S. Cai, E. Nielsen, M. Salib, D. Sculley: The ML Test Score: A Rubric for ML Production Readiness
and Technical Debt Reduction. IEEE Big Data 2017. Keys are the paper's numbers; half a point for what
is done by hand and written down, a full one for what runs by itself, again and again.
"""

from siklus.assess.rubrics.rubric import Criterion, Level, Rubric

DATA, MODEL, INFRASTRUCTURE, MONITORING = "data", "model", "infrastructure", "monitoring"

_DATA = (
    Criterion(
        key="Data 1",
        section=DATA,
        title="A contract for rows",
        asks="What is expected of each column is written down, and rows are held against it.",
        needs=(("contract-held", "contract"),),
    ),
    Criterion(
        key="Data 2",
        section=DATA,
        title="Every column helps",
        asks="It is measured what each column gives the model; one that gives nothing is left out.",
        needs=(("columns-weighed",),),
    ),
    Criterion(
        key="Data 3",
        section=DATA,
        title="No column costs too much",
        asks="What a column costs in time, upkeep and dependence is worth what it gives.",
        needs=(("ask:column-costs",),),
    ),
    Criterion(
        key="Data 4",
        section=DATA,
        title="Columns keep the rules",
        asks="Columns keep what law, policy and agreements ask of them, and something enforces it.",
        needs=(("ask:data-rules",), ("contract-held", "contract")),
    ),
    Criterion(
        key="Data 5",
        section=DATA,
        title="Privacy",
        asks="Who may read personal data is controlled along the whole pipeline.",
        needs=(("ask:privacy", "sensitive-set"),),
    ),
    Criterion(
        key="Data 6",
        section=DATA,
        title="New columns come quickly",
        asks="A new column takes little time from the idea to production.",
        needs=(("ask:new-columns",),),
    ),
    Criterion(
        key="Data 7",
        section=DATA,
        title="Input code is tested",
        asks="The code that makes columns out of sources has tests of its own.",
        needs=(("pipeline-tests", "tests-written"),),
    ),
)
_MODEL = (
    Criterion(
        key="Model 1",
        section=MODEL,
        title="Reviewed and checked in",
        asks="What makes a model was reviewed by a second person and is in a repository, commit by commit.",
        needs=(("committed", "repository"), ("ask:review",)),
    ),
    Criterion(
        key="Model 2",
        section=MODEL,
        title="The metric means something",
        asks="The metric of training goes along with what the model's use is worth in production.",
        needs=(("ask:metric-agreed",), ("quality-watched", "compared-live")),
    ),
    Criterion(
        key="Model 3",
        section=MODEL,
        title="Parameters are searched",
        asks="All parameters of learning were searched, not left as somebody found them.",
        needs=(("tuned", "trials-set"),),
    ),
    Criterion(
        key="Model 4",
        section=MODEL,
        title="Staleness is measured",
        asks="It is known how much worse an older model is than one that is trained now.",
        needs=(("challenger-judged",),),
    ),
    Criterion(
        key="Model 5",
        section=MODEL,
        title="No simpler model is better",
        asks="A simpler model was tried and does less.",
        needs=(("simpler-tried",),),
    ),
    Criterion(
        key="Model 6",
        section=MODEL,
        title="Good on each slice",
        asks="Quality is enough on every slice of the data that matters, not only on the whole.",
        needs=(("slices-held", "slices-set"),),
    ),
    Criterion(
        key="Model 7",
        section=MODEL,
        title="Inclusion",
        asks="It was tested whether groups of people are served differently.",
        needs=(("ask:inclusion",),),
    ),
)
_INFRASTRUCTURE = (
    Criterion(
        key="Infra 1",
        section=INFRASTRUCTURE,
        title="Training is reproducible",
        asks="The same rows and seed give the same model.",
        needs=(("reproduced", "rows-kept"),),
    ),
    Criterion(
        key="Infra 2",
        section=INFRASTRUCTURE,
        title="Model code is tested",
        asks="The code that specifies the model has unit tests.",
        needs=(("pipeline-tests", "tests-written"),),
    ),
    Criterion(
        key="Infra 3",
        section=INFRASTRUCTURE,
        title="The pipeline is tested whole",
        asks="The way from data to served model runs as one test, regularly.",
        needs=(("drilled-loop", "pipeline-deploys", "ask:pipeline-elsewhere", "workflow"),),
    ),
    Criterion(
        key="Infra 4",
        section=INFRASTRUCTURE,
        title="Quality before serving",
        asks="A model's quality is checked before it may answer anybody.",
        needs=(("gates-held", "gates-set"),),
    ),
    Criterion(
        key="Infra 5",
        section=INFRASTRUCTURE,
        title="One example can be followed",
        asks="Someone can follow the computation of a single example step by step.",
        needs=(("ask:debugging",), ("logged",)),
    ),
    Criterion(
        key="Infra 6",
        section=INFRASTRUCTURE,
        title="Canaries",
        asks="A new model meets a small part of the requests before it meets all.",
        needs=(("canaried", "rollout-set"),),
    ),
    Criterion(
        key="Infra 7",
        section=INFRASTRUCTURE,
        title="Rolling back",
        asks="The model before can be brought back quickly and safely, and that was practised.",
        needs=(("rolled-back", "former-kept"),),
    ),
)
_MONITORING = (
    Criterion(
        key="Monitor 1",
        section=MONITORING,
        title="Changes upstream are heard of",
        asks="Somebody is told when what the system depends on changes: data sources and packages.",
        needs=(("ask:sources-watched", "updates-watched"),),
    ),
    Criterion(
        key="Monitor 2",
        section=MONITORING,
        title="Rows keep what is expected",
        asks="What must hold of training rows is asked of requests too, and somebody hears when it breaks.",
        needs=(("contract-held",), ("drift-watched", "drilled-input"), ("drift-heard", "drilled-input")),
    ),
    Criterion(
        key="Monitor 3",
        section=MONITORING,
        title="No skew",
        asks="Training and serving compute the same numbers out of the same cells.",
        needs=(("skew-disproved",),),
    ),
    Criterion(
        key="Monitor 4",
        section=MONITORING,
        title="Models are not too stale",
        asks="A model's age is watched, and somebody hears when it is too high.",
        needs=(("age-watched",), ("age-heard",)),
    ),
    Criterion(
        key="Monitor 5",
        section=MONITORING,
        title="Numbers stay sound",
        asks="Infinities, NaN and lost precision are noticed, in training and in answers.",
        needs=(("parity-held",),),
    ),
    Criterion(
        key="Monitor 6",
        section=MONITORING,
        title="Speed and memory",
        asks="Latency, throughput and memory of serving are watched, and the time that trainings take.",
        needs=(("speed-watched",), ("speed-heard",), ("ask:training-speed", "trainings-timed")),
    ),
    Criterion(
        key="Monitor 7",
        section=MONITORING,
        title="Quality on live requests",
        asks="How good the answers to real requests are is watched, with the labels that come late.",
        needs=(("quality-watched",), ("quality-heard",)),
    ),
)

ML_TEST_SCORE = Rubric(
    name="ml-test-score",
    title="ML Test Score",
    source="Breck, Cai, Nielsen, Salib, Sculley: The ML Test Score, IEEE Big Data 2017",
    url="https://research.google/pubs/the-ml-test-score-a-rubric-for-ml-production-readiness-and-technical-debt-reduction/",
    criteria=(*_DATA, *_MODEL, *_INFRASTRUCTURE, *_MONITORING),
    # Above each number begins the band; the last one that the score is above says what it means.
    levels=(
        Level(number=0, name="0", means="more of a research project than a system in production"),
        Level(number=0, name="above 0", means="not wholly untested, but serious holes are likely"),
        Level(number=1, name="above 1", means="a first pass at production; more is needed"),
        Level(number=2, name="above 2", means="reasonably tested, though more could run by itself"),
        Level(number=3, name="above 3", means="strong automated tests and monitoring, fit for what matters"),
        Level(number=5, name="above 5", means="exceptional automated tests and monitoring"),
    ),
    sections={
        DATA: "Data and columns",
        MODEL: "Model development",
        INFRASTRUCTURE: "Infrastructure",
        MONITORING: "Monitoring",
    },
)
