"""Documents: what the JSON bodies of all protocols have in common, and the two forms of their rows."""

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter

import msgspec

from siklus.contract.columns import Contract
from siklus.errors import RequestError

Document = Mapping[str, object]


def document_of(body: bytes) -> Document:
    """The JSON object; RequestError RQ001 for what is no JSON, RQ002 for another value."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise not_json(exc) from exc
    if not isinstance(found, dict):
        raise RequestError("RQ002", "the body is no object", expected="a JSON object")
    return found


def not_json(exc: Exception) -> RequestError:
    reason = "nested too deeply" if isinstance(exc, RecursionError) else str(exc)
    return RequestError("RQ001", f"the body is no JSON: {reason}", expected="JSON in UTF-8")


def the_one_of(keys: Sequence[str], document: Document, *, beside: Collection[str] = ()) -> str:
    """The one of ``keys`` that stands there; RequestError RQ003 for an unknown key, RQ031 for none or two."""
    expected = f"one of {', '.join(keys)}"
    for key in document:
        if key not in keys and key not in beside:
            raise RequestError("RQ003", f"unknown key {key[:60]!r}", expected=expected)
    found = [key for key in keys if key in document]
    if len(found) != 1:
        what = " and ".join(found) if found else "none of the forms of rows"
        raise RequestError("RQ031", f"the body has {what}", expected=f"exactly {expected}")
    return found[0]


def rows_in(value: object, *, where: str, max_rows: int) -> list[object]:
    """A list of rows, one at least; RequestError RQ005 to RQ007."""
    if not isinstance(value, list):
        raise RequestError("RQ005", f"{where} is no list", expected="a list of rows")
    refuse_count(len(value), max_rows=max_rows)
    return value


def no_rows() -> RequestError:
    return RequestError("RQ006", "no rows", expected="at least one row")


def refuse_count(count: int, *, max_rows: int) -> None:
    """RequestError RQ006 for no rows, RQ007 for too many."""
    if count == 0:
        raise no_rows()
    if count > max_rows:
        raise RequestError("RQ007", f"{count} rows", expected=f"at most {max_rows} in one request")


def rows_of_columns(value: Document, contract: Contract, *, where: str, max_rows: int) -> list[object]:
    """`{"column": [cell, …], …}` as rows; RQ033 for columns that are no lists of one length."""
    columns = list(value.values())
    for name, cells in value.items():
        if not isinstance(cells, list):
            raise RequestError("RQ033", f"{where}: {name[:60]!r} is no list", expected="a list of cells")
    lengths = {len(cells) for cells in columns if isinstance(cells, list)}
    if len(lengths) > 1:
        raise RequestError(
            "RQ033", f"{where}: columns of {min(lengths)} to {max(lengths)} cells", expected="one length"
        )
    refuse_count(max(lengths, default=0), max_rows=max_rows)
    return named_rows(list(value), list(zip(*columns, strict=True)), contract)


def named_rows(names: Sequence[str], rows: Sequence[Sequence[object]], contract: Contract) -> list[object]:
    """Rows with cells in the order of ``names``: by place where those are the contract's, else by name."""
    if len(names) > 1 and sorted(names) == sorted(contract.names):
        in_order = itemgetter(*(names.index(name) for name in contract.names))
        return [list(in_order(row)) for row in rows]
    return [dict(zip(names, row, strict=True)) for row in rows]
