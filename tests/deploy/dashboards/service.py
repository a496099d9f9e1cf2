"""Is the server well: what it is asked, what it fails at, how long it takes, and what it lives on."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.deploy.dashboards.panels import (
    THIRD,
    Ask,
    dashboard,
    heat_of_buckets,
    limits,
    lines,
    number,
    one_of,
)

JOB = one_of("job", "Project", "label_values(ml_model_info, job)")
ASKED = 'job="$job",endpoint!="shadow"'
RATE = "[$__rate_interval]"


def service() -> Dashboard:
    return dashboard(
        "service",
        about="Requests, errors, latency and what the processes use, over all replicas.",
        variables=[JOB],
        rows=[("Now", _now()), ("Requests", _requests()), ("Saturation", _saturation())],
    )


def _signal(name: str) -> Ask:
    return Ask(f'siklus:signal{{job="$job",signal="{name}"}}', name)


def _now() -> list[object]:
    return [
        number("Predictions per second", _signal("predictions_per_second"), about="Answered rows."),
        number(
            "Errors", _signal("error_rate"), about="Failed by the server's fault.", unit="percentunit"
        ).thresholds(limits((None, "green"), (0.05, "red"))),
        number("99 % of requests within", _signal("latency_p99"), about="Of answered requests.", unit="s"),
        number(
            "Workers",
            Ask('sum(ml_worker_up{job="$job",worker!="supervisor"})', "up"),
            about="Processes that answer, over all replicas.",
        ),
    ]


def _requests() -> list[object]:
    by_status = f"sum by (status) (rate(ml_predictions_total{{{ASKED}}}{RATE}))"
    by_endpoint = f"sum by (endpoint) (rate(ml_predictions_total{{{ASKED}}}{RATE}))"
    buckets = f"sum by (le) (rate(ml_prediction_latency_seconds_bucket{{{ASKED}}}{RATE}))"
    quantiles = [
        Ask(f"histogram_quantile({share}, {buckets})", name)
        for share, name in ((0.5, "half of them"), (0.95, "95 %"), (0.99, "99 %"))
    ]
    shares = 'siklus:signal{job="$job",signal=~"error_rate|refused_rate"}'
    return [
        lines(
            "Predictions by status",
            Ask(by_status, "{{status}}"),
            about="refused: the request was wrong (4xx); error: the server was to blame (5xx).",
            unit="reqps",
            width=THIRD,
        ),
        lines(
            "Predictions by endpoint",
            Ask(by_endpoint, "{{endpoint}}"),
            about="An answered batch counts its rows, a refused request counts one.",
            unit="reqps",
            width=THIRD,
        ),
        lines(
            "Errors and refusals",
            Ask(shares, "{{signal}}"),
            about="Shares of all that was asked, over five minutes.",
            unit="percentunit",
            width=THIRD,
        ),
        lines("Answered within", *quantiles, about="Quantiles of answered requests.", unit="s"),
        lines(
            "Refused by limits",
            Ask(f'sum by (limit) (rate(ml_limited_total{{job="$job"}}{RATE}))', "{{limit}}"),
            about="Requests and connections that a limit, a deadline or a key refused.",
            unit="reqps",
        ),
        heat_of_buckets("Latency", Ask(buckets, "{{le}}"), about="Requests by how long they took.", unit="s"),
    ]


def _saturation() -> list[object]:
    worker = "{{instance}} {{worker}}"
    return [
        lines(
            "Requests inside",
            Ask('sum(ml_requests_in_flight{job="$job"})', "being answered"),
            Ask('sum(ml_requests_waiting{job="$job"})', "waiting for a model"),
            about="At most a second old. Who waits long is refused (503).",
            width=THIRD,
        ),
        lines(
            "Processors",
            Ask(f'rate(process_cpu_seconds_total{{job="$job"}}{RATE})', worker),
            about="1 is one processor, all of the time.",
            width=THIRD,
        ),
        lines(
            "Memory",
            Ask('process_resident_memory_bytes{job="$job"}', worker),
            about="What processes share counts in each of them.",
            unit="bytes",
            width=THIRD,
        ),
        lines(
            "Prediction log",
            Ask(f'sum(rate(ml_log_written_total{{job="$job"}}{RATE}))', "written"),
            Ask(f'sum(rate(ml_log_dropped_total{{job="$job"}}{RATE}))', "lost"),
            about="Records per second. Lost are those that the disk did not take.",
            width=THIRD,
        ),
        lines(
            "Open files and sockets",
            Ask('process_open_fds{job="$job"}', worker),
            about="Connections are among them.",
            width=THIRD,
        ),
        lines(
            "Replaced processes",
            Ask('sum by (instance, worker) (increase(ml_worker_starts_total{job="$job"}[10m]))', worker),
            about="Starts in ten minutes; more than the first one are replacements or restarts.",
            width=THIRD,
        ),
    ]
