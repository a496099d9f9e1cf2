"""One column by itself: how much of it is there, what it holds, what stands out."""

import msgspec
import numpy as np

from siklus.contract.cells import FLOAT32_MAX
from siklus.contract.survey import Nature, Series, Survey
from siklus.monitor.microseconds import moment_of
from siklus.monitor.portrait.histogram import Histogram, histogram

FREQUENT = 10  # values told with their rows
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
FENCE = 3.0  # quartile ranges beyond a quartile: Tukey's outer fence, "far out"


class Frequent(msgspec.Struct, frozen=True, kw_only=True):
    """A value as text, and the rows that have it."""

    value: str
    rows: int


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """What the numbers of a column come to; those that float32 cannot hold are only counted.

    ``deviation``: standard, of a sample; 0 for a single row. ``quantiles``: by share ("0.5" is the median),
    interpolated. ``far_out``: rows beyond 3 quartile ranges outside the quartiles, None where those coincide.
    """

    mean: float
    deviation: float
    minimum: float
    maximum: float
    quantiles: dict[str, float]
    zeros: int
    negative: int
    far_out: int | None
    beyond_float32: int


class ColumnPortrait(msgspec.Struct, frozen=True, kw_only=True):
    """One column. ``nature``: what its cells are, as `siklus.contract.survey` sees them.

    ``distinct``: different values, missing not counted. ``first``, ``last``: of moments, ISO 8601 in UTC.
    ``histogram``: of numbers, of moments (microseconds since 1970), or of the length of texts that hardly
    repeat (``of_lengths``).
    """

    name: str
    nature: Nature
    rows: int
    missing: int
    distinct: int
    frequent: tuple[Frequent, ...] = ()
    numbers: Numbers | None = None
    first: str | None = None
    last: str | None = None
    histogram: Histogram | None = None
    of_lengths: bool = False

    @property
    def top_share(self) -> float:
        """Of all rows, missing cells being a value like another: the share of the most frequent, 0 to 1."""
        most = max([self.missing, *(value.rows for value in self.frequent[:1])])
        return most / self.rows if self.rows else 0.0


def portray_column(seen: Survey) -> ColumnPortrait:
    """The column in numbers."""
    found = ColumnPortrait(
        name=seen.name,
        nature=seen.nature,
        rows=len(seen.cells),
        missing=int(seen.missing.sum()),
        distinct=seen.distinct if seen.nature != "empty" else 0,
        frequent=_frequent(seen),
    )
    match seen.nature:
        case "integer" | "number":
            return _of_numbers(found, seen)
        case "moment":
            return msgspec.structs.replace(
                found,
                first=moment_text(float(seen.present.min())),
                last=moment_text(float(seen.present.max())),
                histogram=histogram(seen.present, whole=False),
            )
        case "string" if _hardly_repeats(found):
            lengths = np.array([len(word) for word in seen.words], dtype=np.float64)
            of_rows = lengths[seen.present.astype(np.int64)]
            return msgspec.structs.replace(found, histogram=histogram(of_rows, whole=True), of_lengths=True)
        case _:
            return found


def usable(values: Series) -> Series:
    """The numbers that a float32 row can hold."""
    return values[np.abs(values) <= FLOAT32_MAX]


def value_text(seen: Survey, value: float) -> str:
    """A cell of the series as a person writes it."""
    match seen.nature:
        case "string":
            return seen.words[int(value)]
        case "boolean":
            return "true" if value else "false"
        case "integer":
            return f"{value:.0f}" if abs(value) < 2**53 else f"{value:g}"
        case "number":
            return f"{value:.6g}"
        case "moment":
            return moment_text(value)
        case _:
            return "…"  # nested or mixed cells have no short text


def moment_text(microseconds: float) -> str:
    """ISO 8601 in UTC, to the minute.

    >>> moment_text(0.0)
    '1970-01-01 00:00'
    """
    try:
        return f"{moment_of(microseconds):%Y-%m-%d %H:%M}"
    except OverflowError:  # beyond the years 1 to 9999
        return f"{np.datetime64(int(microseconds), 'us')}"


def _frequent(seen: Survey) -> tuple[Frequent, ...]:
    if seen.nature in ("empty", "tensor", "unreadable"):
        return ()
    values, counts = np.unique(seen.present, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:FREQUENT]
    return tuple(Frequent(value=value_text(seen, float(values[i])), rows=int(counts[i])) for i in order)


def _of_numbers(found: ColumnPortrait, seen: Survey) -> ColumnPortrait:
    values = usable(seen.present)
    if not len(values):
        return found
    whole = seen.nature == "integer"
    quantiles = np.quantile(values, QUANTILES)
    low, high = quantiles[QUANTILES.index(0.25)], quantiles[QUANTILES.index(0.75)]
    reach = FENCE * (high - low)
    far = int(((values < low - reach) | (values > high + reach)).sum()) if high > low else None
    numbers = Numbers(
        mean=float(values.mean()),
        deviation=float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        minimum=float(values.min()),
        maximum=float(values.max()),
        quantiles={f"{share:g}": float(value) for share, value in zip(QUANTILES, quantiles, strict=True)},
        zeros=int((values == 0).sum()),
        negative=int((values < 0).sum()),
        far_out=far,
        beyond_float32=len(seen.present) - len(values),
    )
    return msgspec.structs.replace(found, numbers=numbers, histogram=histogram(values, whole=whole))


def _hardly_repeats(found: ColumnPortrait) -> bool:
    """Whether most values stand in one row only, so that the frequent ones say nothing."""
    return 2 * found.distinct > found.rows - found.missing > FREQUENT
