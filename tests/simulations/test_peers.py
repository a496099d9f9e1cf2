"""What is said of others here is what they say themselves."""

import numpy as np
import pytest

from tests.simulations.peers import evidently_alarms, evidently_score

# Of Evidently 0.7.23 (DataDriftPreset, no options) on the rows below, by reference rows, column by column.
SAID = {
    10_000: {
        "normal": 0.2070234825724598,
        "lognormal": 0.0657728206378852,
        "t3": 0.07919391664775526,
        "poisson": 0.09939667487260885,
        "words": 0.07771259592415539,
    },
    800: {
        "normal": 0.05619509223246972,
        "lognormal": 0.5996320222918247,
        "t3": 0.2831059059484871,
        "poisson": 0.9999998927378132,
        "words": 0.43755132243040074,
    },
}
DRIFTED = {10_000: ["normal"], 800: []}
ROWS_BETWEEN = [(500, 0.1), (5000, 0.1)]  # drawn between the two, and not looked at here


def rows(rng: np.random.Generator, count: int, shift: float = 0.0) -> dict[str, np.ndarray]:
    return {
        "normal": rng.normal(size=count) + shift,
        "lognormal": rng.lognormal(size=count),
        "t3": rng.standard_t(3, size=count),
        "poisson": rng.poisson(3, size=count).astype(np.float64),
        "words": rng.choice(10, size=count, p=np.arange(1, 11) / 55).astype(np.float64),
    }


def test_evidently_by_default_as_evidently_says() -> None:
    rng = np.random.default_rng(0)
    for size, said in SAID.items():
        reference, window = rows(rng, size), rows(rng, 200)
        for between, shift in ROWS_BETWEEN:
            rows(rng, size), rows(rng, between, shift)
        # Its Kolmogorov–Smirnov test is exact for so few rows; ours is the limit, which is close and faster.
        tolerance = {"rel": 0.1} if size == 800 else {"abs": 1e-12}
        for name in reference:
            found = evidently_score(name, reference[name], window[name])
            assert found == pytest.approx(said[name], **tolerance), name
        assert evidently_alarms(reference, window) == DRIFTED[size]
