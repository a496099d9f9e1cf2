"""Exposition: ledgers, lineup and processes as Prometheus' families of series. Reads, and changes nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

from siklus.ledgers.board import Board
from siklus.ledgers.layouts import NO_VERSION, ServerLayout
from siklus.ledgers.ledger import Sheet
from siklus.ledgers.totals import add_up
from siklus.ledgers.workers import process_of
from siklus.serve.counting.gpus import Gpu
from siklus.serve.counting.shelf import SUPERVISOR_ROW
from siklus.serve.traffic.lineup import Arm, Lineup

BINS_SECONDS = 3600.0  # after its last use a version loses its features' series: they are most of the page

# The counts of the server's ledger, as series: name, sort of count, label, meaning.
TOTALS = (
    (
        "ml_feedback_total",
        "feedback",
        "result",
        "Outcomes that came back, by what became of them; a refused request counts one.",
    ),
    ("ml_limited_total", "limits", "limit", "Requests and connections that a limit refused."),
)
LOG: Mapping[str, str] = {
    "written": "Records of the prediction log that survive a killed process.",
    "dropped": "Records that the prediction log lost, because the disk did not take them.",
}
PROCESSES: Mapping[str, str] = {
    "ml_worker_up": "1 for a process of the server that lives, 0 for one that died and was not replaced.",
    "ml_worker_starts_total": "Processes that have had this place; all but the first one are replacements.",
    "ml_requests_in_flight": "Requests that are being answered.",
    "ml_requests_waiting": "Requests that wait for a model.",
    "process_start_time_seconds": "When the process started, in Unix time.",
    "process_cpu_seconds_total": "Time on a processor, of user and system.",
    "process_resident_memory_bytes": "Memory held; what processes share counts in each of them.",
    "process_open_fds": "Open files and sockets.",
}
GPUS: tuple[tuple[str, str, Callable[[Gpu], float | None]], ...] = (
    ("ml_gpu_utilization_ratio", "The share of the time that the GPU was busy.", lambda gpu: gpu.busy),
    ("ml_gpu_memory_used_bytes", "Memory of the GPU that is taken.", lambda gpu: gpu.used_bytes),
    ("ml_gpu_memory_bytes", "Memory of the GPU in all.", lambda gpu: gpu.total_bytes),
)


class Exposition:
    """What `prometheus_client` encodes: `collect` gives every family once.

    ``lineup`` is that of the worker that is asked, None while it has none. ``board``: what a monitor has
    found. ``now``: Unix time.
    """

    def __init__(
        self,
        sheets: Sequence[Sheet],
        *,
        lineup: Lineup | None,
        gpus: Sequence[Gpu],
        board: Board | None,
        now: float,
    ) -> None:
        self._board = board
        self._lineup, self._gpus, self._now = lineup, gpus, now
        totals = add_up(sheets)
        self._versions, self._servers = totals.versions, totals.servers

    def collect(self) -> Iterator[Metric]:
        yield self._predictions()
        yield self._latency()
        yield self._distribution()
        yield from self._features()
        yield from _traffic_families(self._lineup)
        yield from self._totals()
        yield from self._processes()
        yield from _gpu_families(self._gpus)
        if self._board is not None:
            yield from _board_families(self._board)

    def _predictions(self) -> Metric:
        family = CounterMetricFamily(
            "ml_predictions",
            "Predictions asked for: an answered batch counts its rows, a refused request counts one.",
            labels=["endpoint", "status", "version"],
        )
        for version in self._versions:
            layout, places = version.layout, iter(version.counts)
            for endpoint in layout.endpoints:
                for outcome in layout.outcomes:
                    family.add_metric([endpoint, outcome, layout.version], float(next(places)))
        for (endpoint, outcome), count in self._counted("failed"):
            family.add_metric([endpoint, outcome, NO_VERSION], count)
        return family

    def _latency(self) -> Metric:
        family = HistogramMetricFamily(
            "ml_prediction_latency_seconds",
            "From the body's arrival to the answer, of answered requests.",
            labels=["endpoint", "version"],
        )
        for version in self._versions:
            layout, wide = version.layout, len(version.layout.buckets) + 1
            bounds = [*map(floatToGoString, layout.buckets), "+Inf"]
            for i, endpoint in enumerate(layout.endpoints):
                first = layout.latencies + i * wide
                upto = accumulate(version.counts[first : first + wide].tolist())
                buckets = [(bound, float(n)) for bound, n in zip(bounds, upto, strict=True)]
                family.add_metric([endpoint, layout.version], buckets, float(version.sums[i]))
        return family

    def _distribution(self) -> Metric:
        family = CounterMetricFamily(
            "ml_prediction_distribution", "Rows by what was predicted for them: the class, or the bin."
        )
        for version in self._versions:
            layout = version.layout
            counts = version.counts[layout.predictions : layout.bins]
            for label, count in zip(layout.predicted, counts.tolist(), strict=True):
                labels = {layout.predicted_as: label, "version": layout.version}
                family.add_sample("ml_prediction_distribution_total", labels, float(count))
        return family

    def _features(self) -> Iterator[Metric]:
        bins = CounterMetricFamily(
            "ml_feature_bin",
            "Answered rows by the bin of the reference that a feature fell into.",
            labels=["feature", "bin", "version"],
        )
        reference = GaugeMetricFamily(
            "ml_feature_reference_ratio",
            "The share of the training rows in that bin.",
            labels=["feature", "bin", "version"],
        )
        rows = GaugeMetricFamily(
            "ml_feature_reference_rows",
            "The training rows that those shares are of.",
            labels=["feature", "version"],
        )
        unseen = CounterMetricFamily(
            "ml_unseen_category",
            "Cells that held a word which the contract's vocabulary does not have.",
            labels=["feature", "version"],
        )
        answering = {arm.served.bundle.version for arm in _arms(self._lineup)}
        for version in self._versions:
            if version.layout.version not in answering and self._now - version.used > BINS_SECONDS:
                continue
            layout, counts = version.layout, iter(version.counts[version.layout.bins :].tolist())
            for feature in layout.features:
                of_feature = [next(counts) for _ in feature.bins]
                for name, count in zip(feature.bins, of_feature, strict=True):
                    bins.add_metric([feature.name, name, layout.version], float(count))
                if feature.unseen is not None:
                    unseen.add_metric([feature.name, layout.version], float(of_feature[feature.unseen]))
                if layout.version in answering:
                    rows.add_metric([feature.name, layout.version], float(feature.reference_rows))
                    for name, share in zip(feature.bins, feature.reference, strict=False):
                        reference.add_metric([feature.name, name, layout.version], share)
        yield from (bins, reference, rows, unseen)

    def _totals(self) -> Iterator[Metric]:
        for name, what, label, meaning in TOTALS:
            family = _family(name, meaning, labels=[label])
            for labels, count in self._counted(what):
                family.add_metric(labels, count)
            yield family
        for [label], count in self._counted("log"):
            yield CounterMetricFamily(f"ml_log_{label}_total", LOG[label], value=count)

    def _counted(self, what: str) -> Iterator[tuple[list[str], float]]:
        """The labels and the sum over all workers of each count of this sort."""
        for server in self._servers:
            layout, totals = server.layout, server.rows.sum(axis=0).tolist()
            for (sort, *labels), place in layout.places.items():
                if sort == what:
                    yield labels, float(totals[place])

    def _processes(self) -> Iterator[Metric]:
        families = {name: _family(name, meaning, labels=["worker"]) for name, meaning in PROCESSES.items()}
        for server in self._servers:
            for row, counts in enumerate(server.rows.tolist()):
                for name, value in _process_values(server.layout, counts):
                    families[name].add_metric([_worker_name(row)], value)
        yield from families.values()


def _process_values(layout: ServerLayout, counts: Sequence[int]) -> Iterator[tuple[str, float]]:
    """By the name of the metric, what is known of the process that has or had this row."""
    places = layout.places
    starts, pid = counts[places["starts",]], counts[places["pid",]]
    if starts:
        yield "ml_worker_starts_total", float(starts)
    if not pid:
        return  # it ended in good order, or has never been
    living = process_of(layout, counts)
    yield "ml_worker_up", float(living is not None)
    if living is None:
        return
    found = living[-1]
    yield "process_start_time_seconds", found.started
    yield "process_cpu_seconds_total", found.cpu_seconds
    yield "process_resident_memory_bytes", float(found.resident_bytes)
    if found.open_files is not None:
        yield "process_open_fds", float(found.open_files)
    for gauge in layout.gauges:
        yield f"ml_requests_{gauge}", float(counts[places["gauges", gauge]])


def _traffic_families(lineup: Lineup | None) -> Iterator[Metric]:
    info = GaugeMetricFamily(
        "ml_model_info", "1 for each model that answers or watches.", labels=["name", "version", "task"]
    )
    shares = GaugeMetricFamily(
        "ml_traffic_share",
        "The share of requests that an arm of the traffic policy answers; 0 for one that only watches.",
        labels=["arm", "version"],
    )
    models, arms = set(), {}
    for arm in _arms(lineup):
        bundle = arm.served.bundle
        models.add((bundle.manifest.name, bundle.version, bundle.manifest.task))
        arms[arm.name, bundle.version] = arm.share
    for model in sorted(models):
        info.add_metric(model, 1.0)
    for labels, share in arms.items():
        shares.add_metric(labels, share)
    yield from (info, shares)
    if lineup is not None:
        meaning = "The revision of the traffic policy that answers; 0 where none was published."
        yield GaugeMetricFamily("ml_traffic_revision", meaning, value=float(lineup.revision))


def _arms(lineup: Lineup | None) -> Iterable[Arm]:
    return () if lineup is None else (*lineup.arms, *lineup.shadows)


def _gpu_families(gpus: Sequence[Gpu]) -> Iterator[Metric]:
    for name, meaning, read in GPUS:
        told = {str(gpu.index): value for gpu in gpus if (value := read(gpu)) is not None}
        if told:
            family = GaugeMetricFamily(name, meaning, labels=["gpu"])
            for index, value in told.items():
                family.add_metric([index], value)
            yield family


def _board_families(board: Board) -> Iterator[Metric]:
    for gauge in board.gauges:
        family = GaugeMetricFamily(gauge.name, gauge.meaning)
        for labels, value in gauge.samples:
            family.add_sample(gauge.name, labels, value)
        yield family


def _family(name: str, meaning: str, *, labels: Sequence[str]) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    return kind(name, meaning, labels=labels)


def _worker_name(row: int) -> str:
    return "supervisor" if row == SUPERVISOR_ROW else str(row - SUPERVISOR_ROW - 1)
