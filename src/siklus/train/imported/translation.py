"""A pipeline over a frame of words, said anew over decoded rows: each word as its place in the vocabulary.

What a pipeline does with a word it does with the word's place; only what it has in store (an encoder's
categories, an imputer's filling) is translated. Whether that was right, the certificate says.
"""

import copy
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from siklus.contract.columns import Category, Contract, kind_of
from siklus.errors import ExportError
from siklus.table import is_nan
from siklus.train.graphs.names import library_name
from siklus.train.imported.steps import HISTOGRAM_TREES, Raw, rebuilt, tree_encoder

Places: TypeAlias = Mapping[str | int, int]  # of each word in its vocabulary

# They cut a category's code, and the code is the word's place in the vocabulary.
TAKES_CODES = frozenset(
    f"{library}{kind}"
    for library in ("lightgbm.", "xgboost.")
    for kind in ("Booster", "LGBMClassifier", "LGBMRegressor", "XGBClassifier", "XGBRegressor")
)


def translated(model: Any, raw: Raw, contract: Contract) -> Any:
    """The fitted model over rows. ExportError EX001 names the step that takes a raw column otherwise."""
    return rebuilt(model, raw, lambda step, columns: _translated(step, columns, contract))


def _translated(step: Any, columns: Raw, contract: Contract) -> Any:
    vocabularies = {place: _vocabulary(step, contract, name) for place, name in columns.items()}
    name = library_name(step)
    if name in TAKES_CODES:
        return step
    made = copy.copy(step)
    match name:
        case "sklearn.OneHotEncoder" | "sklearn.OrdinalEncoder":
            made.categories_ = [
                _numbers(step, words, vocabularies.get(i)) for i, words in enumerate(step.categories_)
            ]
            if step.handle_unknown == "error":  # the contract refuses the words that this encoder would
                made.handle_unknown = "ignore" if name == "sklearn.OneHotEncoder" else "use_encoded_value"
                made.unknown_value = -1
        case "sklearn.SimpleImputer":
            _refuse_words_for_gaps(step)
            values = [_number(step, word, vocabularies.get(i)) for i, word in enumerate(step.statistics_)]
            made.statistics_ = np.array(values)
            made.missing_values = np.nan
        case _ if name in HISTOGRAM_TREES:
            return _trees(step, vocabularies)
        case _:
            raise ExportError(
                "EX001",
                f"{type(step).__name__} takes the words of {', '.join(map(repr, columns.values()))}",
                expected="an encoder before it, such as OneHotEncoder or OrdinalEncoder",
            )
    return made


def _trees(model: Any, vocabularies: Mapping[int, Places]) -> Any:
    """Histogram trees, whose encoder is told what its ranks stand for in the rows."""
    encoder = tree_encoder(model)
    chosen = np.flatnonzero([] if encoder is None else model.is_categorical_).tolist()
    if not set(vocabularies) <= set(chosen):
        raise ExportError(
            "EX001", f"{type(model).__name__} takes words as numbers", expected="columns of type category"
        )
    made = copy.deepcopy(model)
    tree_encoder(made).categories_ = [
        _numbers(model, words, vocabularies.get(place))
        for place, words in zip(chosen, encoder.categories_, strict=True)
    ]
    return made


def _vocabulary(step: Any, contract: Contract, name: str) -> Places:
    column = next((column for column in contract.columns if column.name == name), None)
    if isinstance(column, Category):
        return {word: place for place, word in enumerate(column.vocabulary)}
    what = f"a column of kind {kind_of(column)}" if column else "which the rows do not have"
    what = f"{type(step).__name__} takes {name!r}, {what}"
    raise ExportError("EX001", what, expected="columns of numbers and categories")


def _refuse_words_for_gaps(step: Any) -> None:
    if not _is_gap(step.missing_values):
        what = f"SimpleImputer with missing_values={step.missing_values!r}"
        raise ExportError("EX001", what, expected="missing values as NaN, None or NA")


def _numbers(step: Any, words: Any, vocabulary: Places | None) -> NDArray[np.float64]:
    return np.array([_number(step, word, vocabulary) for word in np.asarray(words, dtype=object)])


def _number(step: Any, word: Any, vocabulary: Places | None) -> float:
    if _is_gap(word):
        return float("nan")
    try:
        return float(word if vocabulary is None else vocabulary[word])
    except (KeyError, TypeError, ValueError) as exc:
        what = f"{type(step).__name__} has {word!r} in store"
        raise ExportError("EX001", what, expected="a word of the column, or a number") from exc


def _is_gap(word: Any) -> bool:
    return word is None or type(word).__name__ == "NAType" or is_nan(word)
