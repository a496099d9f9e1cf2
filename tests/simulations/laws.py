"""Columns to simulate with: how values are drawn, and what chances a reference's bins really have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from siklus.stats.profile import (
    CategoryProfile,
    ColumnProfile,
    Counts,
    NumericProfile,
    profile_numbers,
    profile_words,
)
from siklus.stats.sequential import slots_of

Values = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Values]


@dataclass(frozen=True, kw_only=True)
class Law:
    """A column of numbers, with the chance of one at most x, or of ``words``, with the chance of each.

    ``missing``: the share of rows without a value. ``closed``: the contract's range is the reference's own.
    """

    draw: Draw
    chance_upto: Callable[[Values], Values] | None = None
    words: tuple[float, ...] = ()
    missing: float = 0.0
    closed: bool = False

    def values(self, rng: np.random.Generator, rows: int) -> Values:
        found = self.draw(rng, rows)
        return np.where(rng.random(rows) < self.missing, np.nan, found) if self.missing else found

    def profile(self, values: Values) -> ColumnProfile:
        if self.words:
            return profile_words(values, range(len(self.words)))
        if self.closed:
            return profile_numbers(values, minimum=float(np.nanmin(values)), maximum=float(np.nanmax(values)))
        return profile_numbers(values)

    def chances(self, profile: ColumnProfile) -> Values:
        """Of the profile's bins, then of the slots that `slots_of` names."""
        slots = dict.fromkeys(slots_of(profile), 0.0) | {"missing": self.missing}
        if isinstance(profile, CategoryProfile):
            kept = [self.words[place] for place in profile.kept]
            bins = np.array([*kept, max(sum(self.words) - sum(kept), 0.0)])
        else:
            bins = self._between(profile, slots)
        return np.array([*bins * (1 - self.missing), *slots.values()])

    def steps(
        self, rng: np.random.Generator, profile: ColumnProfile, *, rows: int, steps: int
    ) -> list[Counts]:
        """Fresh rows of this law, counted."""
        drawn = rng.multinomial(rows, self.chances(profile), size=steps)
        size, names = len(profile.counts.bins), slots_of(profile)
        return [
            Counts(bins=tuple(row[:size]), **dict(zip(names, row[size:], strict=True)))
            for row in drawn.tolist()
        ]

    def _between(self, profile: NumericProfile, slots: dict[str, float]) -> Values:
        assert self.chance_upto is not None
        low, high = -np.inf, np.inf
        if profile.minimum is not None and profile.maximum is not None:
            low, high = np.nextafter(profile.minimum, -np.inf), profile.maximum
        edges = np.clip([low, *profile.cuts, high], low, high)
        upto = self.chance_upto(edges)
        slots["below_minimum"], slots["above_maximum"] = upto[0], 1 - upto[-1]
        return np.diff(upto)


def of_numbers(law: "stats.rv_continuous | stats.rv_discrete", **options: object) -> Law:
    """Numbers of a law of scipy's."""
    return Law(
        draw=lambda rng, rows: np.asarray(law.rvs(size=rows, random_state=rng), dtype=np.float64),
        chance_upto=law.cdf,
        **options,
    )


def of_words(size: int, *, falling: float = 1.0, **options: object) -> Law:
    """Words whose frequency falls with their rank, as 1 ÷ rank to the power ``falling``."""
    weights = np.arange(1.0, size + 1) ** -falling
    chances = weights / weights.sum()
    return Law(
        draw=lambda rng, rows: rng.choice(size, size=rows, p=chances).astype(np.float64),
        words=tuple(chances),
        **options,
    )


def rounded(digits: int) -> Law:
    """Normal numbers, rounded: many rows have the same value."""
    unit = 10.0**-digits

    def upto(x: Values) -> Values:
        # A cut may be the float32 just below a value, and must not count it.
        whole = np.round(np.clip(x, -9, 9) / unit)
        reached = np.float32(x) >= np.float32(np.round(whole * unit, digits))
        return np.asarray(stats.norm.cdf((whole - np.where(reached, 0, 1) + 0.5) * unit))

    return Law(draw=lambda rng, rows: np.round(rng.normal(size=rows), digits), chance_upto=upto)


# Twenty columns as a table may have them: continuous, skewed, heavy-tailed, discrete, and words.
TWENTY: Mapping[str, Law] = {
    **{f"normal {i}": of_numbers(stats.norm()) for i in range(5)},
    **{f"lognormal {i}": of_numbers(stats.lognorm(1)) for i in range(3)},
    **{f"t3 {i}": of_numbers(stats.t(3)) for i in range(2)},
    **{f"exponential {i}": of_numbers(stats.expon()) for i in range(2)},
    **{f"discrete {i}": of_numbers(stats.poisson(3)) for i in range(2)},
    **{f"words {size}": of_words(size) for size in (2, 3, 5, 10, 20, 50)},
}

# What is hard for a law of counts: ties, rare and folded words, missing rows, a range that the rows gave.
HARD: Mapping[str, Law] = {
    "normal": of_numbers(stats.norm()),
    "rounded to 0.1": rounded(1),
    "discrete, few values": of_numbers(stats.poisson(1)),
    "discrete, many values": of_numbers(stats.poisson(200)),
    "two words": of_words(2, falling=4),
    "50 words, most of them rare": of_words(50, falling=3),
    "300 words, folded": of_words(300),
    "51 words, equally frequent": of_words(51, falling=0),
    "a third missing": of_numbers(stats.norm(), missing=1 / 3),
    "hardly any missing": of_numbers(stats.norm(), missing=2e-4),
    "a range from the rows": of_numbers(stats.t(3), closed=True),
}


def draw(laws: Mapping[str, Law], rng: np.random.Generator, rows: int) -> dict[str, Values]:
    return {name: law.values(rng, rows) for name, law in laws.items()}


def profiles(laws: Mapping[str, Law], values: Mapping[str, Values]) -> dict[str, ColumnProfile]:
    return {name: law.profile(values[name]) for name, law in laws.items()}
