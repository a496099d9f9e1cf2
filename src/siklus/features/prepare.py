"""Preparations of decoded rows, as scikit-learn transformers that convert to ONNX with the model.

They work on the float32 matrix by position. What they learn (medians, scales) they learn from the
training part alone, inside the pipeline, so that no fold or test row leaks into them.
"""

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from siklus.contract.columns import Category, Contract, slots_of

# Wider vocabularies than this are not spread into 0/1 columns: the matrix would be mostly zeros, and the
# words that rare. They keep their index, which trees can still cut.
WIDEST_ONE_HOT = 255
MISSING_WORD = -2.0  # no index of a vocabulary, and not -1 (unseen): a one-hot row of zeros


def category_slots(contract: Contract) -> dict[int, int]:
    """Position in the matrix → number of words, for each category column."""
    found = {}
    at = 0
    for column in contract.columns:
        if isinstance(column, Category):
            found[at] = len(column.vocabulary)
        at += len(slots_of(column))
    return found


def dense(contract: Contract) -> ColumnTransformer:
    """For models that weigh columns (linear, networks): medians for gaps, unit variance, one-hot words."""
    spread = {slot: size for slot, size in category_slots(contract).items() if size <= WIDEST_ONE_HOT}
    numbers = [slot for slot in range(contract.width) if slot not in spread]
    scaled = Pipeline([("fill", _fill("median")), ("scale", StandardScaler())])
    parts: list[tuple[str, object, list[int]]] = []
    if numbers:
        parts.append(("numbers", scaled, numbers))
    if spread:
        words = Pipeline(
            [("fill", _fill("constant", MISSING_WORD)), ("one_hot", _one_hot(list(spread.values())))]
        )
        parts.append(("words", words, list(spread)))
    return ColumnTransformer(parts)


def filled(contract: Contract) -> ColumnTransformer:
    """For forests: gaps get the median (numbers) or a word of their own; nothing is scaled or spread."""
    words = list(category_slots(contract))
    numbers = [slot for slot in range(contract.width) if slot not in words]
    parts: list[tuple[str, object, list[int]]] = []
    if numbers:
        parts.append(("numbers", _fill("median"), numbers))
    if words:
        parts.append(("words", _fill("constant", MISSING_WORD), words))
    return ColumnTransformer(parts)


def _fill(strategy: str, value: float | None = None) -> SimpleImputer:
    # A column without a single value in the training part must not vanish: positions are the contract's.
    return SimpleImputer(strategy=strategy, fill_value=value, keep_empty_features=True)


def _one_hot(sizes: list[int]) -> OneHotEncoder:
    words = [np.arange(size, dtype=np.float32) for size in sizes]
    return OneHotEncoder(categories=words, handle_unknown="ignore", sparse_output=False, dtype=np.float32)
