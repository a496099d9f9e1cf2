"""The page of the data before training, made of its portrait."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from siklus.monitor.pages.html import rendered
from siklus.monitor.pages.profile_charts import HEAT_COLUMNS, by_target, distribution, heat_map, over_time
from siklus.monitor.pages.svg import Drawing
from siklus.monitor.pages.words import count, number, percent, printable
from siklus.monitor.portrait.column import ColumnPortrait, Frequent, moment_text
from siklus.monitor.portrait.data import DataColumn, Portrait

PAIRS = 20  # of the strongest, listed
TOLD_FROM = 0.1  # below it two columns hardly know of each other
NEARLY_CONSTANT = 0.98  # share of one value, from which on a column hardly varies
MUCH_MISSING = 0.2  # share of cells
MEASURES = {
    "spearman": "Spearman's rank correlation",
    "cramers_v": "Cramér's V",
    "correlation_ratio": "correlation ratio",
}


@dataclass(frozen=True, kw_only=True)
class About:
    """Whose page it is. ``made`` in UTC; ``version`` is that of Siklus."""

    name: str
    source: str
    made: datetime
    version: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """One column as it stands on the page; ``place`` is its position, as names may be anything."""

    place: int
    name: str
    kind: str
    rows: int
    missing: float
    distinct: int
    typical: str
    information: float | None
    remarks: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    frequent: tuple[Frequent, ...]
    target_caption: str
    distribution: Drawing | None
    by_target: Drawing | None
    over_time: Drawing | None


def profile_page(data: Portrait, about: About) -> str:
    """The whole HTML file."""
    cards = [_card(place, column, data) for place, column in enumerate(data.columns)]
    related = any(card.information is not None for card in cards)
    ranked = sorted(cards, key=lambda card: -(card.information or 0.0)) if related else cards
    rest = [card for card, column in zip(cards, data.columns, strict=True) if column.role != "target"]
    of_target = [card for card, column in zip(cards, data.columns, strict=True) if column.role == "target"]
    looks = sum(found.severity == "warn" for found in data.findings)
    return rendered(
        "profile.html.j2",
        about=about,
        data=data,
        related=related,
        overview=ranked,
        cards=sorted(rest, key=lambda card: -(card.information or 0.0)) if related else rest,
        target_card=of_target[0] if of_target else None,
        ordered_findings=sorted(data.findings, key=lambda found: found.severity != "warn"),
        looks=looks + bool(data.refusal),
        notes=len(data.findings) - looks,
        heat=heat_map(data.together),
        heat_left_out=max(0, len(data.together.columns) - HEAT_COLUMNS),
        pairs=[pair for pair in data.together.pairs[:PAIRS] if abs(pair.value) >= TOLD_FROM],
        compared=bool(data.together.pairs),
        told_from=TOLD_FROM,
        measures=MEASURES,
        **_tiles(data),
    )


def _tiles(data: Portrait) -> dict[str, object]:
    cells = data.rows * len(data.columns)
    gaps = [column.portrait.missing for column in data.columns]
    words = sum(column.portrait.nature == "string" for column in data.columns)
    numbers = sum(column.portrait.nature in ("integer", "number") for column in data.columns)
    told = data.spans is not None and data.spans.moments
    return {
        "missing_share": sum(gaps) / cells if cells else 0.0,
        "missing_columns": f"in {sum(gap > 0 for gap in gaps)} columns",
        "kinds": f"{numbers} of numbers, {words} of words",
        "sampled": f"{count(data.rows)} looked at" if data.rows < data.rows_in_all else "all looked at",
        "first": moment_text(data.spans.edges[0])[:10] if told and data.spans else "",
        "last": moment_text(data.spans.edges[-1])[:10] if told and data.spans else "",
    }


def _card(place: int, column: DataColumn, data: Portrait) -> Card:
    seen = column.portrait
    target = data.target or ""
    return Card(
        place=place,
        name=seen.name,
        kind=_kind(column),
        rows=seen.rows,
        missing=seen.missing / seen.rows if seen.rows else 0.0,
        distinct=seen.distinct,
        typical=_typical(seen),
        information=None if column.relation is None else column.relation.information,
        remarks=tuple(_remarks(seen)),
        facts=tuple(_facts(column)),
        frequent=seen.frequent if seen.distinct < seen.rows - seen.missing else (),
        target_caption=f"{printable(target)} in groups of its values",
        distribution=distribution(seen),
        by_target=by_target(column, target=target),
        over_time=over_time(column, data.spans) if data.spans else None,
    )


def _kind(column: DataColumn) -> str:
    """The contract's word, else what the cells are."""
    if column.role == "feature":
        return column.kind or f"not used ({column.portrait.nature})"
    return column.role if column.kind is None else f"{column.role}, {column.kind}"


def _typical(seen: ColumnPortrait) -> str:
    if seen.numbers is not None:
        quarters = seen.numbers.quantiles
        return f"{number(quarters['0.25'])} to {number(quarters['0.75'])}"
    if seen.first is not None:
        return f"{seen.first[:10]} to {(seen.last or '')[:10]}"
    return ", ".join(printable(value.value, 16) for value in seen.frequent[:3])


def _remarks(seen: ColumnPortrait) -> Sequence[str]:
    there = seen.rows - seen.missing
    found = []
    if seen.nature == "empty":
        return ["no value at all"]
    if seen.distinct == 1 and not seen.missing:
        found.append("constant")
    elif seen.top_share >= NEARLY_CONSTANT:
        found.append(f"nearly constant: {percent(seen.top_share)} are alike")
    elif there > 1 and seen.distinct == there and seen.nature in ("string", "integer"):
        found.append("a value of its own in each row")
    if seen.missing / seen.rows >= MUCH_MISSING:
        found.append(f"{percent(seen.missing / seen.rows)} missing")
    if seen.numbers is not None and seen.numbers.far_out:
        found.append(f"{count(seen.numbers.far_out)} far out")
    if seen.numbers is not None and seen.numbers.beyond_float32:
        found.append(f"{count(seen.numbers.beyond_float32)} infinite or too large")
    return found


def _facts(column: DataColumn) -> Sequence[tuple[str, str]]:
    seen = column.portrait
    facts = []
    if column.relation is not None:
        facts.append(("tells of the target", percent(column.relation.information)))
    facts += [("missing", f"{count(seen.missing)} ({percent(seen.missing / seen.rows if seen.rows else 0)})")]
    facts += [("distinct", count(seen.distinct))]
    if seen.first is not None:
        facts += [("first", seen.first), ("last", seen.last or "")]
    if seen.numbers is None:
        return facts
    told = seen.numbers
    quantiles = [(f"{100 * float(share):g} %", number(value)) for share, value in told.quantiles.items()]
    quantiles = [("median" if name == "50 %" else name, value) for name, value in quantiles]
    return [
        *facts,
        ("mean", number(told.mean)),
        ("deviation", number(told.deviation)),
        ("minimum", number(told.minimum)),
        *quantiles,
        ("maximum", number(told.maximum)),
        ("zeros", count(told.zeros)),
        ("negative", count(told.negative)),
        ("far out", "–" if told.far_out is None else count(told.far_out)),
    ]
