"""A DuckDB query, taken apart: which files it reads, by which words of its text."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from siklus.data.scan import has_known_suffix
from siklus.errors import DataError

# Table functions that open the files in their first argument, and those that open none. Others may read
# what no fingerprint sees, or from another directory than the project's, and are refused.
_FILE_READERS = {
    "read_csv", "read_csv_auto", "read_parquet", "parquet_scan",
    "read_json", "read_json_auto", "read_ndjson", "read_ndjson_auto",
}  # fmt: skip
_PURE = {"range", "generate_series", "unnest", "repeat", "json_each", "json_tree"}


@dataclass(frozen=True)
class Word:
    """A path inside a table function: where its literal stands in the query's UTF-8 bytes."""

    start: int
    end: int
    path: str


@dataclass(frozen=True)
class Query:
    """One SELECT. ``tables``: files named as tables (FROM 'a.csv'); ``words``: in read_csv() and its like."""

    text: str
    tables: tuple[str, ...]
    words: tuple[Word, ...]

    @property
    def files(self) -> list[str]:
        """All paths and globs that it reads, each once."""
        return list(dict.fromkeys([*self.tables, *(word.path for word in self.words)]))

    def with_paths(self, paths: list[str]) -> str:
        """The text with each word's literal replaced by the literal given for it."""
        raw = self.text.encode()
        for word, path in sorted(zip(self.words, paths, strict=True), key=lambda pair: -pair[0].start):
            raw = raw[: word.start] + path.encode() + raw[word.end :]
        return raw.decode()


def parse_query(text: str, *, where: str) -> Query:
    """DA006 a file of no known format, DA012 no SQL or a function that is not for here, DA013 no SELECT."""
    nodes = list(_nodes(_select(text, where)))
    names = dict.fromkeys(str(node["table_name"]) for node in nodes if node.get("type") == "BASE_TABLE")
    tables = tuple(name for name in names if "." in name or "/" in name)
    for name in tables:
        if not has_known_suffix(name):
            raise DataError(
                "DA006", f"{where}: {name!r}: unknown format", expected="CSV, Parquet or JSON, by its suffix"
            )
    calls = [node["function"] for node in nodes if node.get("type") == "TABLE_FUNCTION"]
    words = tuple(word for call in calls for word in _words(call, where))
    return Query(text=text, tables=tables, words=words)


def _select(text: str, where: str) -> dict[str, Any]:
    """The only statement's tree."""
    with duckdb.connect(":memory:") as connection:
        found = connection.execute("SELECT json_serialize_sql(?)", [text]).fetchall()[0][0]
    tree = json.loads(found)
    if tree["error"] and tree["error_type"] == "parser":
        line = text.encode()[: int(tree.get("position") or 0)].count(b"\n") + 1
        told = f"{where}: line {line} of the query: {tree['error_message']}"
        raise DataError("DA012", told, expected="SQL as DuckDB reads it")
    statements: list[dict[str, Any]] = [] if tree["error"] else tree["statements"]
    if len(statements) != 1:
        told = tree.get("error_message") or f"{len(statements)} statements"
        raise DataError("DA013", f"{where}: {told}", expected="one SELECT")
    return statements[0]


def _words(call: dict[str, Any], where: str) -> list[Word]:
    """The path in a call's first argument, or the list of paths there; none in a call that reads no file."""
    name = call["function_name"]
    if name in _PURE:
        return []
    if name not in _FILE_READERS:
        wanted = f"a file in quotes, or one of {', '.join(sorted(_FILE_READERS))}"
        raise DataError("DA012", f"{where}: {name}() is not read from here", expected=wanted)
    first = call["arguments"][0]["expression"] if call["arguments"] else {}
    listed = first.get("function_name") == "list_value"
    paths = [argument["expression"] for argument in first["arguments"]] if listed else [first]
    if not all(path.get("class") == "CONSTANT" and path["literal"]["kind"] == "STRING" for path in paths):
        raise DataError(
            "DA012", f"{where}: {name}() of an expression", expected="a path in quotes, or a list of them"
        )
    return [
        Word(
            path["query_location"],
            path["query_location"] + path["query_location_length"],
            path["literal"]["text"],
        )
        for path in paths
    ]


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for child in tree.values():
            yield from _nodes(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _nodes(child)
