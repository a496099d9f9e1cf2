"""A DuckDB query, taken apart: which files it reads, by which words of its text."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from siklus.data.scan import has_known_suffix
from siklus.errors import DataError

# Table functions that open the files in their first argument, and those that open none.
_FILE_READERS = {
    "read_csv", "read_csv_auto", "read_parquet", "parquet_scan",
    "read_json", "read_json_auto", "read_ndjson", "read_ndjson_auto",
}  # fmt: skip
_PURE = {"range", "generate_series", "unnest", "repeat"}


@dataclass(frozen=True)
class Word:
    """A path inside a table function: where its literal stands in the query's UTF-8 bytes."""

    start: int
    end: int
    path: str


@dataclass(frozen=True)
class Query:
    """One SELECT. ``tables``: files named as tables (FROM 'a.csv'); ``words``: in read_csv() and its like.

    ``closed``: these are all the files it can read. Otherwise its rows alone say whether it changed.
    """

    text: str
    tables: tuple[str, ...]
    words: tuple[Word, ...]
    closed: bool

    def with_paths(self, paths: list[str]) -> str:
        """The text with each word's literal replaced by the literal given for it."""
        raw = self.text.encode()
        for word, path in sorted(zip(self.words, paths, strict=True), key=lambda pair: -pair[0].start):
            raw = raw[: word.start] + path.encode() + raw[word.end :]
        return raw.decode()


def parse_query(text: str, *, where: str) -> Query:
    """DA012 with the line for what is no SQL, DA013 for anything but one SELECT."""
    with duckdb.connect(":memory:") as connection:
        found = connection.execute("SELECT json_serialize_sql(?)", [text]).fetchall()[0][0]
    tree = json.loads(found)
    if tree["error"] and tree["error_type"] == "parser":
        line = text.encode()[: int(tree.get("position") or 0)].count(b"\n") + 1
        raise DataError(
            "DA012",
            f"{where}: line {line} of the query: {tree['error_message']}",
            expected="SQL as DuckDB reads it",
        )
    statements = [] if tree["error"] else tree["statements"]
    if len(statements) != 1:
        told = tree.get("error_message") or f"{len(statements)} statements"
        raise DataError("DA013", f"{where}: {told}", expected="one SELECT")
    nodes = list(_nodes(statements[0]))
    tables = tuple(dict.fromkeys(n["table_name"] for n in nodes if n.get("type") == "BASE_TABLE"))
    calls = [node["function"] for node in nodes if node.get("type") == "TABLE_FUNCTION"]
    words = [word for call in calls if call["function_name"] in _FILE_READERS for word in _words(call, text)]
    return Query(
        text=text,
        tables=tuple(name for name in tables if has_known_suffix(name)),
        words=tuple(words),
        closed=all(call["function_name"] in _PURE or _words(call, text) for call in calls),
    )


def _words(call: dict[str, Any], text: str) -> list[Word]:
    """The string literals of a call's first argument: a path, or a list of paths."""
    first = call["arguments"][:1]
    return [
        Word(
            node["query_location"],
            node["query_location"] + node["query_location_length"],
            node["literal"]["text"],
        )
        for node in _nodes(first)
        if node.get("class") == "CONSTANT" and node["literal"]["kind"] == "STRING"
    ]


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for child in tree.values():
            yield from _nodes(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _nodes(child)
