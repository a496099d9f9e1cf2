"""The sections of siklus.toml, one frozen struct each. Their defaults are the defaults of Siklus.

Docs and the file that `siklus init` writes are held against these fields by a test.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct, field

from siklus.errors import ProjectError
from siklus.project.alerts import PlacedAlert
from siklus.project.durations import Duration, DurationOrNever
from siklus.project.loop import Retrain, RolloutPlan
from siklus.project.names import SafeName
from siklus.project.notify import Receiver
from siklus.project.shipping import Deploy, ServiceUrl

Share: TypeAlias = Annotated[float, Meta(gt=0, lt=1)]
Positive: TypeAlias = Annotated[int, Meta(gt=0)]
Seconds: TypeAlias = Annotated[float, Meta(gt=0)]


HttpUrl: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\s]+\Z",
        extra_json_schema={"description": "a URL such as http://localhost:9090"},
    ),
]


class ProjectSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[project]: its name and what kind of question it answers."""

    name: SafeName
    task: Literal["classification", "regression"]


class Split(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[data.split]: which rows train, which choose (valid) and which judge (test).

    ``by`` is read from the rest of the section when it is left out: `group` where a group column is named,
    `time` where [data] names a time column, else `stratified` for classes and `random` for numbers.
    """

    by: Literal["random", "stratified", "time", "group"] | None = None
    valid: Share = 0.2
    test: Share = 0.2
    group: str | None = None


class Data(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[data]: where rows come from and what they mean.

    One of ``path`` (CSV, Parquet, JSON lines; gz and zip too), ``query`` (DuckDB SQL over such files),
    or ``url`` with ``query`` (any SQLAlchemy URL). Paths are relative to the project file.
    ``key``: the column that names a row for ever, so that splits never shuffle between runs.
    """

    path: str | None = None
    query: str | None = None
    url: str | None = None
    target: str
    time: str | None = None
    key: str | None = None
    contract: str = "contract.json"
    max_rows: Positive = 2_000_000  # beyond it a sample (by row hash) is taken, and said
    split: Split = field(default_factory=Split)


class Train(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[train]: what is tried and how long.

    ``metric`` defaults to mae or roc_auc/log_loss by task; ``jobs`` are parallel processes.
    ``simplicity``: a simpler model is preferred when the better one's lead is not significant at this level.
    """

    candidates: tuple[str, ...] = ("linear", "random-forest", "hist-gradient-boosting")
    metric: str | None = None
    trials: Positive = 20
    seconds: Seconds = 300.0
    jobs: Positive = 2
    seed: Annotated[int, Meta(ge=0)] = 0
    simplicity: Share = 0.05


class Serve(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[serve]: where the server listens, with how many processes, and what it refuses.

    ``grace_seconds``: what requests in flight get when the server is told to stop. The deadlines count from
    a connection's first byte (``header_seconds``), from the end of the headers (``body_seconds``), and from
    the last answer (``idle_seconds``). ``feedback_url``: where outcomes are taken instead, because they are
    kept in one place while many machines answer.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8000
    uds: str | None = None  # a Unix socket's path, instead of host and port
    insecure: bool = False  # other machines may ask without a key
    admin_host: str = "127.0.0.1"
    admin_port: Annotated[int, Meta(ge=0, le=65535)] | None = None  # without one, there is no admin port
    tls_certificate: str | None = None
    tls_key: str | None = None
    trusted_keys: tuple[str, ...] = ()  # public keys: only what one of them has signed takes traffic
    feedback_url: ServiceUrl | None = None
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    grace_seconds: Seconds = 30.0
    max_body_bytes: Positive = 16_000_000
    max_batch_rows: Positive = 100_000
    max_header_bytes: Positive = 32_768
    max_connections: Positive = 2048  # of one worker
    max_waiting: Positive = 1024  # requests of one worker that wait for a model
    header_seconds: Seconds = 10.0
    body_seconds: Seconds = 30.0
    idle_seconds: Seconds = (
        65.0  # longer than the 60 that proxies keep theirs, so that the proxy closes first
    )


class Sign(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[sign]: what the bundles of this project are signed with, as soon as they are sealed.

    ``key``: the file of an Ed25519 private key; without one nothing is signed by itself. ``password_file``:
    the file that holds its password, where it has one.
    """

    key: str | None = None
    password_file: str | None = None


class Records(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[records]: the prediction log and the outcomes, how safe and for how long.

    ``durability``: `written` survives a killed process and reaches the disk within a tenth of a second;
    `synced` is on the disk before an outcome is acknowledged, and predictions are synced group by group.
    """

    enabled: bool = True
    durability: Literal["written", "synced"] = "written"
    sensitive: Literal["omit", "hash"] = "omit"  # what becomes of columns that the contract calls sensitive
    segment_bytes: Positive = 64_000_000
    segment_seconds: Seconds = 60.0
    keep_days: Seconds = 90.0
    keep_bytes: Positive = 10_000_000_000


class Monitor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[monitor]: how traffic and answers are watched, and how sure an alarm must be.

    ``look``: how often signals are computed and alert rules are asked. ``step``: how much traffic the tests
    that may be looked at any time take at once. ``window``: what commands and pages speak of when nothing
    else is said. ``floor``: the bound that the watched metric must keep; without one, that of [gates], or a
    quarter more error than in the evaluation.
    """

    enabled: bool = True
    false_alarm_rate: Share = 0.05  # in a month of looks, over all columns together
    tolerance: Annotated[float, Meta(ge=0, lt=1)] = 0.01  # of the distance: a mean shift of about 0.1 σ
    min_rows: Positive = 200  # below it nothing is judged
    look: Duration = "1m"
    step: Duration = "10m"
    window: Duration = "1h"
    joint: DurationOrNever = "1d"  # how often a classifier looks at all columns together
    metric: str | None = None
    floor: str | None = None
    slices: tuple[str, ...] = ()  # columns by whose values quality is told
    default_alerts: bool = True
    evaluator: Literal["siklus", "prometheus"] = "siklus"  # who sends: ours, or Alertmanager
    prometheus: HttpUrl | None = None  # whose counts, of all replicas, take the place of this machine's


class State(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[state]: where everything that is not source is kept; URLs grow it beyond one machine."""

    directory: str = ".siklus"
    tracking_uri: str | None = None  # MLflow's; without one: SQLite in the directory
    control: str | None = None  # likewise the database of traffic policies and decisions


class SliceGate(Struct, frozen=True, kw_only=True):
    """A bound that must hold in each value of a column; its metrics stand beside ``column``."""

    column: str
    bounds: dict[str, str]


class Gates(Struct, frozen=True, kw_only=True):
    """[gates]: metric bounds such as ``mae = "<= 12"``, and ``parity``, ``champion``, ``slices``.

    ``champion``: the metric on which the new version must not be worse than production, on the same rows.
    """

    bounds: dict[str, str] = {}
    parity: bool = False
    champion: str | None = None
    slices: tuple[SliceGate, ...] = ()


class Project(Struct, frozen=True, kw_only=True):
    """All sections, as read from a file (`read_project`)."""

    project: ProjectSection
    data: Data
    train: Train = field(default_factory=Train)
    gates: Gates = field(default_factory=Gates)
    serve: Serve = field(default_factory=Serve)
    records: Records = field(default_factory=Records)
    monitor: Monitor = field(default_factory=Monitor)
    retrain: Retrain = field(default_factory=Retrain)
    rollout: RolloutPlan = field(default_factory=RolloutPlan)
    state: State = field(default_factory=State)
    deploy: Deploy = field(default_factory=Deploy)
    sign: Sign = field(default_factory=Sign)
    alerts: tuple[PlacedAlert, ...] = ()
    notify: Mapping[str, Receiver] = {}


def refuse_unclear_source(data: Data, *, where: str) -> None:
    """PJ006 unless [data] names exactly one source."""
    ways = [
        data.path is not None and data.url is None and data.query is None,
        data.query is not None and data.path is None,
    ]
    if sum(ways) != 1 or (data.url is not None and data.query is None):
        raise ProjectError(
            "PJ006",
            f"{where}: [data] names no single source",
            expected="`path`, or `query`, or `url` with `query`",
        )
