"""Does traffic still look like training: column by column, as Prometheus counts it."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.deploy.dashboards.model import OF, VERSION
from tests.deploy.dashboards.panels import (
    THIRD,
    WIDE,
    Ask,
    bars,
    dashboard,
    heat,
    limits,
    lines,
    number,
    some_of,
    yes_or_no,
)
from tests.deploy.dashboards.service import JOB

FEATURE = some_of("feature", "Column", 'label_values(siklus:feature:rows{job="$job"}, feature)')
COLUMNS = f'{OF},feature=~"$feature"'
LEGEND = "{{feature}}"
# Of a mean that moves by d standard deviations PSI is about d²: a third of one, and nearly a half.
CUSTOMARY = limits((None, "green"), (0.1, "orange"), (0.2, "red"))


def drift() -> Dashboard:
    return dashboard(
        "drift",
        about="Columns of the window beside training's, over all replicas. The alarm's error rate is stated; "
        "the distances are only shown.",
        variables=[JOB, VERSION, FEATURE],
        rows=[
            ("Now", _now()),
            ("Distances", _distances()),
            ("What no bin takes", _slots()),
            ("Bins", _bins()),
        ],
    )


def _now() -> list[object]:
    alarm = 'siklus:signal{job="$job",signal="drift_alarm"}'
    return [
        yes_or_no(
            "Drift alarm",
            Ask(alarm, "alarm"),
            about="Whether traffic has left training, at the stated rate of false alarms however often one "
            "looks.",
            width=THIRD,
        ),
        number(
            "Rows in the window",
            Ask(f"max(siklus:feature:rows{{{OF}}})", "rows"),
            about="Of too few rows there are no distances.",
            width=THIRD,
        ),
        number(
            "Columns that this window's test finds shifted",
            Ask(f"sum(max by (version, feature) (ml_drift_alarm{{{OF}}}))", "columns"),
            about="At the false-alarm rate of one look, over all columns together.",
            width=THIRD,
        ).thresholds(limits((None, "green"), (1, "red"))),
    ]


def _distances() -> list[object]:
    psi = f"max by (feature) (siklus:drift_psi{{{COLUMNS}}})"
    return [
        heat(
            "Columns over time: PSI",
            Ask(psi, LEGEND),
            about="The darker, the farther from training; no darker from 0.5 on.",
            darkest=0.5,
        ),
        bars(
            "PSI now", Ask(f"sort_desc({psi})", LEGEND), about="By custom 0.1 is some and 0.2 is much."
        ).thresholds(CUSTOMARY),
        lines("PSI", Ask(psi, LEGEND), about="Population stability index of each column."),
        lines(
            "Hellinger",
            Ask(f"max by (feature) (siklus:drift_hellinger{{{COLUMNS}}})", LEGEND),
            about="0: the same shares; 1: not a value in common.",
            width=THIRD,
        ),
        lines(
            "Jensen–Shannon",
            Ask(f"max by (feature) (siklus:drift_jensen_shannon{{{COLUMNS}}})", LEGEND),
            about="0: the same shares; 1: not a value in common.",
            width=THIRD,
        ),
        lines(
            "X² by its degrees of freedom",
            Ask(
                f"max by (feature) (siklus:drift_x2{{{COLUMNS}}} / siklus:drift_x2_freedom{{{COLUMNS}}})",
                LEGEND,
            ),
            about="About 1 by chance alone; the verdict is the watch's.",
            width=THIRD,
        ),
        lines(
            "p of each column",
            Ask(f"min by (feature) (ml_feature_drift_pvalue{{{COLUMNS}}})", LEGEND),
            about="That it has not moved beyond the tolerance, after Holm, as the watch has it.",
        ),
        lines(
            "PSI as the watch has it",
            Ask(f"max by (feature) (ml_feature_drift_score{{{COLUMNS}}})", LEGEND),
            about="Of all rows that were counted, also those that Prometheus did not see.",
        ),
    ]


def _slots() -> list[object]:
    return [
        _slot("Missing", "<missing>", about="Cells without a value."),
        _slot("Unseen words", "<unseen>", about="Cells with a word that training did not know."),
        _slot(
            "Out of range",
            "<below minimum>|<above maximum>|<non-finite>",
            about="Beyond the contract's range.",
        ),
    ]


def _slot(title: str, bins: str, *, about: str) -> object:
    rows = f'sum by (job, version, feature) (siklus:feature_bin:rows{{{COLUMNS},bin=~"{bins}"}})'
    share = f"max by (feature) ({rows}\n  / (siklus:feature:rows{{{COLUMNS}}} > 0))"
    return lines(title, Ask(share, LEGEND), about=about, unit="percentunit", width=THIRD)


def _bins() -> list[object]:
    legend = "{{feature}}: {{bin}}"
    return [
        bars(
            "The window",
            Ask(f"max by (feature, bin) (siklus:feature_bin:share{{{COLUMNS}}})", legend),
            about="Shares of the bins. Pick one column above.",
            unit="percentunit",
        ),
        bars(
            "Training",
            Ask(f"max by (feature, bin) (siklus:feature_bin:reference_share{{{COLUMNS}}})", legend),
            about="The same bins in training.",
            unit="percentunit",
        ),
        lines(
            "Bins over time",
            Ask(f"max by (feature, bin) (siklus:feature_bin:share{{{COLUMNS}}})", legend),
            about="The window's shares.",
            unit="percentunit",
            width=WIDE,
        ),
    ]
