"""Are probabilities to be believed? Bins of equal mass, the calibration error, and its interval.

Over two classes it is class 1's probability against how often class 1 occurs; over more, the highest
probability of each row against how often that class is right (Guo et al., arXiv 1706.04599).
"""

from typing import NamedTuple

import numpy as np

from siklus.stats.losses import Classes, Floats, predicted_classes

BINS = 15
DRAWS = 400  # a candidate truth: a bound is then good to about a tenth of the interval's width
# Candidate truths, as multiples of the error that was seen: sampling noise can hide at most so much.
MULTIPLES = np.linspace(0.0, 3.0, 31)
NEIGHBOURS = 1.5  # bins (σ of the kernel) over which a model's miscalibration is taken to be alike


class Calibration(NamedTuple):
    """Bins in ascending order, each array of shape (bins,): mean probability, share that came true, rows."""

    predicted: Floats
    observed: Floats
    rows: Floats

    def error(self) -> float:
        """Expected calibration error: the mean |observed − predicted| over rows, between 0 and 1.

        Noise alone makes it positive: a perfect model shows about 0.02 on 3,000 rows and 0.13 on 100.
        """
        return float((self.rows * np.abs(self.observed - self.predicted)).sum() / self.rows.sum())


def calibration(y: Classes, probabilities: Floats, *, bins: int = BINS) -> Calibration:
    """At most ``bins`` bins of about equally many rows; rows of equal probability share one."""
    if probabilities.shape[1] == 2:
        said, came = probabilities[:, 1], (y == 1).astype(np.float64)
    else:
        best = predicted_classes(probabilities)
        said, came = probabilities[np.arange(len(y)), best], (y == best).astype(np.float64)
    shares = np.arange(1, bins) / bins
    cuts = np.unique(np.quantile(said, shares, method="inverted_cdf"))
    place = np.searchsorted(cuts, said, side="left")
    rows = np.bincount(place, minlength=len(cuts) + 1)
    kept = rows > 0
    predicted = np.bincount(place, said, len(rows))[kept] / rows[kept]
    observed = np.bincount(place, came, len(rows))[kept] / rows[kept]
    return Calibration(predicted, observed, rows[kept].astype(np.float64))


def calibration_interval(binned: Calibration, *, level: float, seed: int) -> tuple[float, float]:
    """An interval for the calibration error, by inverting its own sampling law.

    A bootstrap would centre on the error's upward bias and never reach 0. Instead the gaps that were seen are
    smoothed over neighbouring bins and scaled to candidate true errors; the interval holds those under which
    the error that was seen is not extreme. It reaches the score even where that lies above all of them.
    Simulated coverage at 95 %: 91 to 98 % on smooth miscalibration, 89 % where the gaps alternate.
    """
    seen = binned.error()
    if seen == 0:
        return 0.0, 0.0
    rng = np.random.default_rng(seed)
    total = binned.rows.sum()
    likely = (binned.observed * binned.rows + 0.5) / (binned.rows + 1)
    noise = rng.standard_normal((DRAWS, len(binned.rows))) * np.sqrt(likely * (1 - likely) / binned.rows)
    weights = rng.multinomial(int(total), binned.rows / total, size=DRAWS) / total
    gaps = MULTIPLES[:, None, None] * seen * _shape(binned)
    drawn = np.einsum("mdb,db->md", np.abs(gaps + noise), weights)
    tail = (1 - level) / 2
    floor, ceiling = np.quantile(drawn, [tail, 1 - tail], axis=1)
    low = _multiple_where(ceiling, seen)
    high = _multiple_where(floor, seen)
    return low * seen, max(high, 1.0) * seen


def _shape(binned: Calibration) -> Floats:
    """How the gaps run over the bins, scaled so that they make an error of 1."""
    gaps, share = binned.observed - binned.predicted, binned.rows / binned.rows.sum()
    place = np.arange(len(gaps))
    kernel = share * np.exp(-0.5 * ((place[:, None] - place) / NEIGHBOURS) ** 2)
    smooth = (kernel @ gaps) / kernel.sum(axis=1)
    size = (share * np.abs(smooth)).sum()
    shape: Floats = smooth / size if size > 0 else gaps / binned.error()
    return shape


def _multiple_where(quantiles: Floats, seen: float) -> float:
    """The multiple whose quantile is the error that was seen; 0 when even noise alone exceeds it."""
    return (
        0.0 if quantiles[0] >= seen else float(np.interp(seen, np.maximum.accumulate(quantiles), MULTIPLES))
    )
