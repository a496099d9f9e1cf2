"""Sensitive columns: what becomes of them before anything is written."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from siklus.records.entries import Description, json_text
from siklus.records.ids import subkey

HASH_BYTES = 16


class Veil:
    """Takes out what the contract calls sensitive, or puts a keyed hash in its place.

    Equal values of one column have equal hashes, so that they can still be counted and joined; without the
    key nobody can try values out. A missing value stays missing.
    """

    def __init__(self, how: Literal["omit", "hash"], *, key: bytes) -> None:
        self._hashes = how == "hash"
        self._key = key

    def over(
        self,
        features: Mapping[str, object] | Sequence[object],
        description: Description,
        *,
        also: Iterable[str] = (),
    ) -> dict[str, object]:
        """The instance by column name, without a sensitive value at any depth.

        ``features``: by column name, or in the order of the columns. ``also``: names that are sensitive
        besides the description's own.
        """
        hidden = {_spelled(name): name for name in (*also, *description.sensitive)}
        if isinstance(features, Mapping):
            return self._veiled(features, hidden)
        return self._veiled(dict(zip(description.columns, features, strict=True)), hidden)

    def _veiled(self, value: Mapping[str, object], hidden: Mapping[str, str]) -> dict[str, object]:
        shown: dict[str, object] = {}
        for name, cell in value.items():
            # A column that the contract ignores may hold a whole copy of the row, spelled as it likes.
            column = hidden.get(_spelled(name))
            if column is None:
                shown[name] = self._within(cell, hidden)
            elif self._hashes:
                shown[name] = None if cell is None else self._hash(column, cell)
        return shown

    def _within(self, cell: object, hidden: Mapping[str, str]) -> object:
        match cell:
            case dict():
                return self._veiled(cell, hidden)
            case list():
                return [self._within(item, hidden) for item in cell]
            case _:
                return cell

    def _hash(self, column: str, cell: object) -> str:
        # A key of its own for each column: equal values of two columns must not show that they are equal.
        hashed = hashlib.blake2b(
            json_text(_plain(cell)), key=subkey(self._key, column), digest_size=HASH_BYTES
        )
        return f"hash:{hashed.hexdigest()}"


def _spelled(name: str) -> str:
    """One for all spellings of a column's name."""
    return name.strip().casefold()


def _plain(cell: object) -> object:
    """3.0 and 3 are one number, in JSON and in tables alike."""
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell
