"""What a fitted pipeline knows of its columns: the words of its encoders, and which columns are text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from siklus.contract.exact import Words
from siklus.table import Table
from siklus.train.graphs.names import library_name
from siklus.train.imported.steps import Raw, rebuilt, words_of

READS_TEXT = frozenset({"sklearn.CountVectorizer", "sklearn.TfidfVectorizer", "sklearn.HashingVectorizer"})
REFUSES_OTHERS = frozenset({"sklearn.OneHotEncoder", "sklearn.OrdinalEncoder"})


@dataclass(frozen=True)
class Known:
    """By column: its words, and whether it is read as text."""

    words: Mapping[str, Words]
    texts: frozenset[str]


NOTHING_KNOWN = Known({}, frozenset())


def known_to(model: Any, columns: Raw, table: Table, *, categories: Mapping[str, Words]) -> Known:
    """Walk through the fitted model, which has these ``columns``. ``categories``: those of the frame itself.

    Whole numbers that nothing but strict encoders take are words too: so the contract refuses a number
    that the model would fail on.
    """
    uses: dict[str, list[Words]] = {name: [] for name in columns.values()}
    texts: set[str] = set()

    def look(step: Any, met: Raw) -> Any:
        name = library_name(step)
        if name in READS_TEXT:
            texts.update(met.values())
        strict = name in REFUSES_OTHERS and step.handle_unknown == "error"
        for place, column in met.items():
            uses[column].append(Words(tuple(words_of(step, place)), strict))
        return step

    rebuilt(model, columns, look)
    words = {}
    for name, found in uses.items():
        whole = table[name].dtype.kind == "i" and name not in categories
        named = _numbers_as_words(found) if whole else [*_of(categories, name), *_strings(found)]
        if named:
            words[name] = _joined(named)
    return Known(words, frozenset(texts))


def of_categories(data: Any) -> dict[str, Words]:
    """The categories of a pandas frame's columns, in the frame's own order: its codes are their positions."""
    if type(data).__module__.partition(".")[0] != "pandas":
        return {}
    found = {}
    for name, dtype in zip(data.columns, data.dtypes, strict=True):
        words = dtype.categories.tolist() if hasattr(dtype, "categories") else []
        if words and (_all_of(words, str) or _all_of(words, int)):
            found[str(name)] = Words(tuple(words))
    return found


def _joined(found: Sequence[Words]) -> Words:
    words = dict.fromkeys(word for each in found for word in each.words)
    return Words(tuple(words), any(each.strict for each in found))


def _of(categories: Mapping[str, Words], name: str) -> list[Words]:
    return [categories[name]] if name in categories else []


def _numbers_as_words(uses: Sequence[Words]) -> Sequence[Words]:
    return uses if all(use.strict and use.words and _all_of(use.words, int) for use in uses) else []


def _strings(uses: Sequence[Words]) -> list[Words]:
    found = [Words(tuple(word for word in use.words if type(word) is str), use.strict) for use in uses]
    return [use for use in found if use.words]


def _all_of(words: Iterable[object], kind: type) -> bool:
    return all(type(word) is kind for word in words)
