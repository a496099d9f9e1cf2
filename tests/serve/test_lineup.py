"""Which arm answers: shares as said, the same key always the same arm, the same on every machine."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from siklus.bundle.read import open_bundle
from siklus.registry.sticky import Sticky
from siklus.serve.traffic.lineup import Arm, Lineup, Served, alone, point
from tests.serve.bundles import regressor

KEYS = [f"customer-{i}" for i in range(20_000)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    bundle = open_bundle(regressor(tmp_path_factory.mktemp("bundles") / "minutes"))
    return Served(bundle=bundle, row_seconds=0.0, reader=None, bound=None)


@pytest.fixture
def lineup(served: Served) -> Any:
    """A lineup by its challengers' shares."""

    def made(*, salt: str = "pepper", **shares: float) -> Lineup:
        rest = 1 - sum(shares.values())
        return Lineup(
            revision=3,
            champion=Arm(name="champion", share=rest, served=served),
            challengers=tuple(Arm(name=name, share=share, served=served) for name, share in shares.items()),
            sticky=Sticky("header", "x-user"),
            salt=salt,
        )

    return made


def arms(lineup: Lineup, keys: list[str] | list[None] = KEYS) -> np.ndarray:
    return np.array([lineup.pick(key).name for key in keys])


def test_one_arm_answers_everything(served: Served) -> None:
    lineup = alone(served)
    assert (lineup.pick(None), lineup.pick("x")) == (lineup.champion, lineup.champion)
    assert [arm.share for arm in lineup.arms] == [1.0]


@pytest.mark.parametrize("keys", [KEYS, [None] * len(KEYS)], ids=["sticky", "by chance"])
def test_each_arm_gets_its_share(lineup: Any, keys: list[Any]) -> None:
    dealt = lineup(blue=0.05, green=0.25)
    found = arms(dealt, keys)
    counts = [(found == arm.name).sum() for arm in dealt.arms]
    wanted = [arm.share * len(keys) for arm in dealt.arms]
    # Under the right shares less than one run in a million falls below.
    assert chisquare(counts, wanted).pvalue > 1e-6


def test_a_key_stays_where_it_is(lineup: Any) -> None:
    assert (arms(lineup(blue=0.3)) == arms(lineup(blue=0.3))).all()


def test_a_growing_share_gives_nobody_back_to_the_champion(lineup: Any) -> None:
    before = arms(lineup(blue=0.05))
    for share in (0.1, 0.25, 0.5, 0.99):
        after = arms(lineup(blue=share))
        assert (after[before == "blue"] == "blue").all()
        before = after
    two = arms(lineup(blue=0.2, green=0.2))
    grown = arms(lineup(blue=0.3, green=0.2))
    assert (grown[two != "champion"] != "champion").all()


def test_the_last_challenger_grows_without_touching_the_others(lineup: Any) -> None:
    before, after = arms(lineup(blue=0.2, green=0.1)), arms(lineup(blue=0.2, green=0.4))
    assert (after[before == "blue"] == "blue").all()
    assert (after[before == "green"] == "green").all()


def test_another_salt_deals_anew(lineup: Any) -> None:
    one, other = arms(lineup(blue=0.5)), arms(lineup(blue=0.5, salt="salt"))
    # Independent halves agree on half of the keys; 20,000 of them within 2 % but once in ten million.
    assert abs((one == other).mean() - 0.5) < 0.02


def test_another_interpreter_deals_the_same() -> None:
    keys = ["", "7", "größe", "x" * 1000]
    script = f"from siklus.serve.traffic.lineup import point; print([point(k, 'pepper') for k in {keys!r}])"
    environment = {"PYTHONHASHSEED": "1", "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str([point(key, "pepper") for key in keys])


def test_half_a_character_is_a_key_too() -> None:
    assert 0 <= point("\ud800", "pepper") < 1
