"""A fitted pipeline rebuilt step by step, while it is known which columns still stand there as they came."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from siklus.train.export import SEARCHES
from siklus.train.graphs.names import library_name

# Position among a step's columns → name of the column of the contract that is still raw there.
Raw: TypeAlias = Mapping[int, str]
# What takes the place of a step that meets raw columns and is no mere frame for other steps.
Leaf: TypeAlias = Callable[[Any, Raw], Any]

HISTOGRAM_TREES = frozenset(f"sklearn.HistGradientBoosting{kind}" for kind in ("Classifier", "Regressor"))


def rebuilt(step: Any, raw: Raw, leaf: Leaf) -> Any:
    """The fitted step with each of its parts that meets raw columns replaced by what ``leaf`` gives."""
    return _rebuilt(step, raw, leaf)[0]


def _rebuilt(step: Any, raw: Raw, leaf: Leaf) -> tuple[Any, Raw]:
    if not raw or step in (None, "passthrough", "drop"):
        return step, raw
    name = library_name(step)
    if name == "sklearn.Pipeline":
        return _chain(step, raw, leaf)
    if name == "sklearn.ColumnTransformer":
        return _by_columns(step, raw, leaf)
    if name in SEARCHES:
        return _around(step, "best_estimator_", raw, leaf), {}
    if name == "sklearn.TransformedTargetRegressor":
        return _around(step, "regressor_", raw, leaf), {}
    if name == "sklearn.FunctionTransformer" and step.func is None:
        return step, raw
    return leaf(step, raw), _still_raw(step, raw)


def _chain(step: Any, raw: Raw, leaf: Leaf) -> tuple[Any, Raw]:
    steps = []
    for name, part in step.steps:
        changed, raw = _rebuilt(part, raw, leaf)
        steps.append((name, changed))
    made = copy.copy(step)
    made.steps = steps
    return made, raw


def _by_columns(step: Any, raw: Raw, leaf: Leaf) -> tuple[Any, Raw]:
    places = step._transformer_to_input_indices  # noqa: SLF001 - the resolved positions are kept nowhere else
    transformers = []
    left: dict[int, str] = {}
    for name, part, columns in step.transformers_:
        given = {i: raw[place] for i, place in enumerate(places.get(name, ())) if place in raw}
        changed, remaining = _rebuilt(part, given, leaf)
        transformers.append((name, changed, columns))
        if part != "drop":
            start = step.output_indices_[name].start
            left |= {start + i: column for i, column in remaining.items()}
    made = copy.copy(step)
    made.transformers_ = transformers
    return made, left


def _around(step: Any, attribute: str, raw: Raw, leaf: Leaf) -> Any:
    made = copy.copy(step)
    setattr(made, attribute, rebuilt(getattr(step, attribute), raw, leaf))
    return made


def _still_raw(step: Any, raw: Raw) -> Raw:
    """An imputer fills gaps and leaves the rest as it was; whatever else there is makes something new."""
    if library_name(step) != "sklearn.SimpleImputer":
        return {}
    kept = [i for i, value in enumerate(step.statistics_) if step.keep_empty_features or value == value]
    return {i: raw[place] for i, place in enumerate(kept) if place in raw}


def words_of(step: Any, place: int) -> list[Any]:
    """The values of the column at ``place`` that an encoder (or an imputer, its filling) has in store."""
    if library_name(step) == "sklearn.SimpleImputer":
        return [step.statistics_[place]]
    categories = getattr(step, "categories_", None)
    if library_name(step) in HISTOGRAM_TREES:
        categories, place = _categories_of_trees(step), _rank_of_category(step, place)
    if categories is None or not 0 <= place < len(categories):
        return []
    return list(np.asarray(categories[place], dtype=object))


def tree_encoder(model: Any) -> Any:
    """Histogram trees of a frame's categories have an encoder inside; None without categories."""
    if model.is_categorical_ is None:
        return None
    return model._preprocessor.named_transformers_["encoder"]  # noqa: SLF001 - shown nowhere else


def _categories_of_trees(model: Any) -> Any:
    encoder = tree_encoder(model)
    return None if encoder is None else encoder.categories_


def _rank_of_category(model: Any, place: int) -> int:
    """Which of the categorical columns it is; -1 when it is none."""
    chosen = model.is_categorical_
    return -1 if chosen is None or not chosen[place] else int(np.sum(chosen[:place]))
