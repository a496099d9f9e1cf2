"""Panels and dashboards in our own few shapes: what varies between them is what they ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, heatmap, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as building
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DataSourceRef,
    DataTransformerConfig,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDE, HALF, THIRD, QUARTER = 24, 12, 8, 6  # of a row's 24 columns
TALL, LOW = 8, 4  # rows of the grid

Panel = Any  # each kind of panel has a builder of its own, and they share no type


@dataclass(frozen=True)
class Ask:
    """An expression, and the name that its series have in the legend."""

    expression: str
    legend: str


def lines(title: str, *asks: Ask, about: str, unit: str = "short", width: int = HALF) -> Panel:
    """Series over time."""
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    under_the_mouse = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    panel = _asking(timeseries.Panel(), title, asks, about).legend(legend.show_legend(True))
    return panel.tooltip(under_the_mouse).unit(unit).span(width).height(TALL).fill_opacity(8)


def shares(title: str, *asks: Ask, about: str, width: int = HALF) -> Panel:
    """Series over time that make up a whole: the axis has their shares, the tooltip their own values."""
    stacking = common.StackingConfig().mode(StackingMode.PERCENT)
    return lines(title, *asks, about=about, unit="reqps", width=width).stacking(stacking).fill_opacity(40)


def number(title: str, ask: Ask, *, about: str, unit: str = "short", width: int = QUARTER) -> Panel:
    """One number, now."""
    last = common.ReduceDataOptions().calcs(["lastNotNull"])
    panel = _asking(stat.Panel(), title, [ask], about, instant=True).reduce_options(last)
    return panel.unit(unit).span(width).height(LOW).thresholds(PLAIN)


def yes_or_no(title: str, ask: Ask, *, about: str, width: int = QUARTER) -> Panel:
    """Whether it is so, now: red where it is."""
    words = {"0": ValueMappingResult(text="no"), "1": ValueMappingResult(text="yes")}
    panel = number(title, ask, about=about, width=width).mappings([ValueMap(options=words)])
    return panel.thresholds(limits((None, "green"), (0.5, "red")))


def bars(title: str, ask: Ask, *, about: str, unit: str = "short", width: int = HALF) -> Panel:
    """One bar a series, now."""
    panel = _asking(bargauge.Panel(), title, [ask], about, instant=True)
    panel = panel.orientation(VizOrientation.HORIZONTAL).display_mode(BarGaugeDisplayMode.BASIC)
    return panel.unit(unit).min(0).span(width).height(TALL).thresholds(PLAIN)


def listing(title: str, ask: Ask, *, about: str, width: int = HALF) -> Panel:
    """A row for each series, now: its labels and its value."""
    panel = _asking(table.Panel(), title, [ask], about, instant=True, form=PromQueryFormat.TABLE)
    nameless = DataTransformerConfig(id_val="organize", options={"excludeByName": {"Time": True}})
    return panel.with_transformation(nameless).show_header(True).span(width).height(TALL + LOW)


def heat(title: str, ask: Ask, *, about: str, darkest: float) -> Panel:
    """A cell for each series and moment; from the value ``darkest`` on it is no darker."""
    return _heat(title, ask, about, PromQueryFormat.TIME_SERIES, unit="short", darkest=darkest)


def heat_of_buckets(title: str, ask: Ask, *, about: str, unit: str) -> Panel:
    """A cell for each moment and bucket of a histogram, whose ``unit`` is that of its bounds."""
    return _heat(title, ask, about, PromQueryFormat.HEATMAP, unit=unit, darkest=None)


def _heat(
    title: str, ask: Ask, about: str, form: PromQueryFormat, *, unit: str, darkest: float | None
) -> Panel:
    colours = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("YlOrRd").steps(64).min(0)
    if darkest is not None:
        colours = colours.max(darkest)
    panel = _asking(heatmap.Panel(), title, [ask], about, form=form)
    panel = panel.calculate(False).color(colours).cell_gap(1).show_tooltip()
    return panel.y_axis(heatmap.YAxisConfig().unit(unit)).span(WIDE).height(TALL + LOW)


def limits(*steps: tuple[float | None, str]) -> building.ThresholdsConfig:
    """Colours from values on; the first one has no value."""
    found = [Threshold(value=value, color=colour) for value, colour in steps]
    return building.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


# Grafana's own limit, where none is said, is 80: whatever is more would be red.
PLAIN = limits((None, "blue"))


def dashboard(
    title: str, *, about: str, variables: Sequence[Any], rows: Sequence[tuple[str, Sequence[Panel]]]
) -> Dashboard:
    """``rows``: a title and its panels, which flow from left to right."""
    made = (
        building.Dashboard(f"Siklus: {title}")
        .uid(f"siklus-{title}")
        .description(about)
        .tags(["siklus"])
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(building.DashboardLink("Siklus").tags(["siklus"]).include_vars(True).keep_time(True))
    )
    for variable in (_datasource(), *variables):
        made = made.with_variable(variable)
    number_of = 0
    for name, panels in rows:
        number_of += 1
        made = made.with_row(building.Row(name).id(number_of))
        for panel in panels:
            number_of += 1
            made = made.with_panel(panel.id(number_of))
    return made.build()


def one_of(name: str, label: str, values: str) -> Any:
    """A variable with one value. ``values``: Grafana's `label_values(…)`."""
    made = building.QueryVariable(name).label(label).query(values).datasource(SOURCE)
    return made.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(
        VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC
    )


def some_of(name: str, label: str, values: str) -> Any:
    """A variable with any of its values, all at first."""
    everything = VariableOption(text="All", value="$__all", selected=True)
    return one_of(name, label, values).multi(True).include_all(True).current(everything)


def _datasource() -> Any:
    return building.DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def _asking(
    panel: Panel,
    title: str,
    asks: Sequence[Ask],
    about: str,
    *,
    instant: bool = False,
    form: PromQueryFormat = PromQueryFormat.TIME_SERIES,
) -> Panel:
    panel = panel.title(title).description(about).datasource(SOURCE)
    for ask, letter in zip(asks, "ABCDEF", strict=False):
        query = Dataquery().expr(ask.expression).legend_format(ask.legend).ref_id(letter).datasource(SOURCE)
        panel = panel.with_target((query.instant() if instant else query.range()).format(form))
    return panel
