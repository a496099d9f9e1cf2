"""Which rows judge a trial: the valid part, or, where rows are few, every row in turn."""

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold

from siklus.train.search import Held
from siklus.train.trials import Fold, Places

FEW_ROWS = 1000  # below, a fifth of the rows is too small a judge, and fitting five times costs little
FOLDS = 5
SCREEN_SHARE = 4  # a setting is first fitted on one row in so many
SCREEN_LEAST = 200  # rows: on fewer, a quarter says nothing about the whole


def held_out(
    train: Places, valid: Places, target: NDArray[np.generic], *, exchangeable: bool, classify: bool
) -> Held:
    """How trials are fitted and judged. Rows that are not ``exchangeable`` (ordered by time, or grouped)
    are never mixed: the valid part judges alone."""
    rows = np.concatenate([train, valid])
    if exchangeable and len(rows) < FEW_ROWS:
        folds = _crossed(rows, target, classify=classify)
    else:
        folds = [Fold(train, valid)]
    screened = (
        folds[0].fitted[::SCREEN_SHARE] if len(train) >= SCREEN_SHARE * SCREEN_LEAST else folds[0].fitted
    )
    return Held(screen=Fold(screened, folds[0].held), folds=folds, target=target)


def _crossed(rows: Places, target: NDArray[np.generic], *, classify: bool) -> list[Fold]:
    rarest = int(np.bincount(target[rows].astype(np.int64)).min()) if classify else FOLDS
    # A class with fewer rows than folds cannot be in each of them.
    kind = StratifiedKFold if classify and rarest >= FOLDS else KFold
    splitter = kind(FOLDS, shuffle=True, random_state=0)
    return [Fold(rows[fitted], rows[held]) for fitted, held in splitter.split(rows, target[rows])]
