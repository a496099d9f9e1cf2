"""Files for Prometheus: where it scrapes, what it records, and when it alerts."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from msgspec import Struct

from siklus.deploy.drafts import Draft
from siklus.deploy.quoting import checked_duration, label_value, one_line, plain_in_template, target
from siklus.deploy.rendering import render
from siklus.deploy.watching.distances import drift_recordings
from siklus.deploy.watching.expressions import EXPRESSIONS, SIGNAL, expression
from siklus.errors import DeployError
from siklus.monitor.alerts.rules import Rule
from siklus.monitor.amounts import amount
from siklus.monitor.gauges import LAST_LOOK
from siklus.monitor.notify.phrases import PHRASES
from siklus.monitor.signals import SIGNALS
from siklus.project.durations import duration_of, seconds_of
from siklus.project.sections import Project, Serve

SCRAPE = "15s"
SERVER_DOWN, WATCH_SILENT = "server_down", "watch_silent"  # rules that only Prometheus can have
LONGEST_INTERVAL = 60  # seconds; what is recorded less often than every 5 minutes vanishes in between

# How Prometheus writes a value for a person, by the signal's unit: its function, and what follows.
_SHOWN = {
    "share": ("humanizePercentage", ""),
    "seconds": ("humanizeDuration", ""),
    "bytes": ("humanize", "B"),
    "rows": ('printf "%.0f"', " rows"),
}


class Scraping(Struct, frozen=True, kw_only=True):
    """What only its administrator knows of a Prometheus.

    ``targets``: `host:port` of each server; none: the one that [serve] names. ``key_file``: where the API
    key lies that servers ask for, as Prometheus sees it.
    """

    targets: tuple[str, ...] = ()
    alertmanagers: tuple[str, ...] = ("localhost:9093",)
    every: str = SCRAPE
    key_file: str | None = None


class _Recorded(Struct, frozen=True, kw_only=True):
    name: str
    meaning: str
    expression: str


class _Alert(Struct, frozen=True, kw_only=True):
    name: str
    expression: str
    held: str
    kept: str = ""
    severity: str
    notify: str
    summary: str
    advice: str


def prometheus_drafts(project: Project, rules: Sequence[Rule], scraping: Scraping) -> list[Draft]:
    """DeployError DP001, DP002 and DP007 for what no file could hold; DP005 when it is not known where to
    scrape.
    """
    job = project.project.name
    files = {f"rules/{job}-{name}.yml": text for name, text in rule_files(project, rules).items()}
    return [
        Draft(path=path, text=text)
        for path, text in {"prometheus.yml": _config(project, scraping), **files}.items()
    ]


def rule_files(project: Project, rules: Sequence[Rule]) -> dict[str, str]:
    """The files of rules, by what they are about: drift, signals and alerts."""
    job, monitor = project.project.name, project.monitor
    interval = f"{min(seconds_of(monitor.look), LONGEST_INTERVAL)}s"
    recordings = list(drift_recordings(job=job, window=monitor.window, min_rows=monitor.min_rows))
    signals = [
        _Recorded(name=name, meaning=SIGNALS[name].meaning, expression=expression(name, job=job))
        for name in EXPRESSIONS
    ]
    alerts = [*(_alert(rule, job) for rule in rules), *_silence_rules(project)]
    return {
        "drift": render("watching/drift.yml", job=job, interval=interval, recordings=recordings),
        "signals": render("watching/signals.yml", job=job, interval=interval, signals=signals),
        "alerts": render("watching/alerts.yml", job=job, interval=interval, alerts=alerts),
    }


def notify_label(receivers: Sequence[str]) -> str:
    """The alert's label `notify`, by which Alertmanager finds who is told: their names between commas."""
    return f",{','.join(receivers)}," if receivers else ""


def _config(project: Project, scraping: Scraping) -> str:
    return render(
        "watching/prometheus.yml",
        job=project.project.name,
        scrape=checked_duration(scraping.every, what="the scrape interval"),
        targets=[target(each) for each in scraping.targets or (_own_target(project.serve),)],
        alertmanagers=[target(each) for each in scraping.alertmanagers],
        key_file=scraping.key_file and one_line(scraping.key_file, what="the key file"),
        tls=project.serve.tls_certificate is not None,
    )


def _own_target(serve: Serve) -> str:
    if serve.uds is not None or not serve.port:
        place = f"the Unix socket {serve.uds}" if serve.uds else "a port that is only known once it runs"
        raise DeployError(
            "DP005",
            f"[serve] listens at {place}, where Prometheus cannot find it",
            expected="--target HOST:PORT",
        )
    host = serve.host.strip("[]")
    try:
        address = ip_address(host)
    except ValueError:
        return f"{host}:{serve.port}"
    if address.is_unspecified:  # every address of that machine: this one, until somebody says which
        return f"localhost:{serve.port}"
    return f"{host}:{serve.port}" if address.version == 4 else f"[{host}]:{serve.port}"


def _alert(rule: Rule, job: str) -> _Alert:
    of_feature = "" if rule.feature is None else f",feature={label_value(rule.feature)}"
    labels = f'job="{job}",signal="{rule.signal}"{of_feature}'
    return _Alert(
        name=rule.name,
        expression=f"{SIGNAL}{{{labels}}} {rule.comparison} {_number(rule.threshold)}",
        held=duration_of(rule.held) if rule.held else "",
        kept=duration_of(rule.kept) if rule.kept else "",
        severity=rule.severity,
        notify=notify_label(rule.receivers),
        summary=_summary(rule),
        advice=plain_in_template(rule.advice),
    )


def _silence_rules(project: Project) -> Iterator[_Alert]:
    """What no server, and no watch, can say of itself."""
    job, everybody = project.project.name, notify_label(sorted(project.notify))
    yield _Alert(
        name=SERVER_DOWN,
        expression=f'up{{job="{job}"}} == 0',
        held="5m",
        severity="critical",
        notify=everybody,
        summary="{{ $labels.instance }} does not answer Prometheus",
        advice="Is the server running, and may Prometheus ask it? Its log says more.",
    )
    if project.monitor.enabled:
        yield _Alert(
            name=WATCH_SILENT,
            expression=f'absent({LAST_LOOK}{{job="{job}"}}) and on (job) up{{job="{job}"}} == 1',
            held="5m",  # after the ten minutes, or three looks, for which a page shows the last one
            severity="warning",
            notify=everybody,
            summary="nobody watches {{ $labels.job }}: drift and quality are not known",
            advice="`siklus serve` starts a watch beside the server, and `siklus watch` is one. Its log says "
            "why it ended, or cannot look.",
        )


def _summary(rule: Rule) -> str:
    """One line, in which Prometheus fills in what it found."""
    kind = SIGNALS[rule.signal]
    which = f"{rule.signal} of {{{{ $labels.feature }}}}" if kind.by == "feature" else rule.signal
    if kind.unit == "yes/no":
        said = PHRASES[rule.signal].headline.format(label="{{ $labels.feature }}", value="yes")
        return f"{rule.signal}: {said}" if rule.comparison == ">" else f"{which}: no"
    shown, unit = _SHOWN.get(kind.unit, ('printf "%.3g"', f" {kind.unit}".rstrip()))
    beyond = "above" if rule.comparison == ">" else "below"
    return f"{which} is {{{{ $value | {shown} }}}}{unit}, {beyond} {amount(rule.threshold, kind.unit)}"


def _number(value: float) -> str:
    """With all its digits, and none that say nothing."""
    return repr(float(value)).removesuffix(".0")
