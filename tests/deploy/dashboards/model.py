"""Is the model good: what it answers, how well once labels are there, and which version answers."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.deploy.dashboards.panels import (
    WIDE,
    Ask,
    dashboard,
    lines,
    listing,
    number,
    one_of,
    shares,
    some_of,
)
from tests.deploy.dashboards.service import JOB, RATE

SIGNAL = one_of("signal", "Signal", 'label_values(siklus:signal{job="$job"}, signal)')
VERSION = some_of("version", "Version", 'label_values(ml_model_info{job="$job"}, version)')
OF = 'job="$job",version=~"$version"'


def model() -> Dashboard:
    return dashboard(
        "model",
        about="What is predicted, how good it is, and who answers, over all replicas.",
        variables=[JOB, VERSION, SIGNAL],
        rows=[
            ("Now", _now()),
            ("Predictions", _predictions()),
            ("Quality", _quality()),
            ("Signals", _signals()),
        ],
    )


def _signal(name: str) -> Ask:
    return Ask(f'siklus:signal{{job="$job",signal="{name}"}}', name)


def _now() -> list[object]:
    return [
        number(
            "Predictions since training",
            _signal("predictions_since_training"),
            about="Rows that the champion has answered since it was trained.",
        ),
        number("Age of the model", _signal("model_age"), about="Since it was trained.", unit="d"),
        number(
            "With an outcome",
            _signal("label_coverage"),
            about="The share of the champion's predictions whose true value is known.",
            unit="percentunit",
        ),
        number("Quality", _signal("quality"), about="The watched metric, over [monitor] window."),
    ]


def _predictions() -> list[object]:
    answered = f"sum by (prediction_class, bin) (rate(ml_prediction_distribution_total{{{OF}}}{RATE}))"
    arms = "max by (arm, version) (ml_traffic_share{" + OF + "})"
    rates = f'sum by (version) (rate(ml_predictions_total{{{OF},status="success"}}{RATE}))'
    return [
        shares(
            "What is predicted",
            Ask(answered, "{{prediction_class}}{{bin}}"),
            about="Shares of the classes; for a number, of the bins that training had as many of each.",
            width=WIDE,
        ),
        lines(
            "Who answers",
            Ask(arms, "{{arm}}: version {{version}}"),
            about="The share that each arm of the traffic policy answers; 0 for one that only watches.",
            unit="percentunit",
        ),
        lines(
            "Rows by version",
            Ask(rates, "version {{version}}"),
            about="Rows that were scored, those of shadows too.",
            unit="reqps",
        ),
    ]


def _quality() -> list[object]:
    by = "max by (metric, version)"
    feedback = f'sum by (result) (rate(ml_feedback_total{{job="$job"}}{RATE}))'
    return [
        lines(
            "Quality, its interval and its floor",
            Ask(f"{by} (ml_quality{{{OF}}})", "{{metric}} of version {{version}}"),
            Ask(f"{by} (ml_quality_low{{{OF}}})", "at least, version {{version}}"),
            Ask(f"{by} (ml_quality_high{{{OF}}})", "at most, version {{version}}"),
            Ask(f"{by} (ml_quality_floor{{{OF}}})", "floor of {{metric}}"),
            about="On the labelled predictions of [monitor] window, with the 95 % interval.",
            width=WIDE,
        ),
        lines(
            "Label coverage",
            Ask(f"max by (version) (ml_label_coverage{{{OF}}})", "version {{version}}"),
            about="The share of predictions whose outcome has come back. Of few, quality is not known well.",
            unit="percentunit",
        ),
        lines(
            "Label delay",
            Ask(f"max by (version) (ml_label_delay_seconds{{{OF}}})", "version {{version}}"),
            about="The median time from a prediction to its outcome.",
            unit="s",
        ),
        lines(
            "Outcomes that came back",
            Ask(feedback, "{{result}}"),
            about="unknown_id: for a prediction of elsewhere; conflicting: another one than is known.",
            unit="reqps",
            width=WIDE,
        ),
    ]


def _signals() -> list[object]:
    every = 'max by (signal, feature) (siklus:signal{job="$job"})'
    picked = 'max by (feature) (siklus:signal{job="$job",signal="$signal"})'
    return [
        listing(
            "Signals now", Ask(every, ""), about="What alert rules speak of; by column where there is one."
        ),
        lines("$signal", Ask(picked, "{{feature}}"), about="The signal that is picked above, over time."),
    ]
