"""What was kept comes back cell by cell, or not at all."""

import csv
import json
import math
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.data.digest import digest
from siklus.data.frames import table_of
from siklus.data.snapshot import check_out, keep, open_snapshot
from siklus.errors import DataError
from siklus.table import Table, is_missing, objects

TABLE = Table(
    {
        "whole": np.array([1, -(2**62), 3]),
        "small": np.array([1, 2, 3], dtype=np.int8),
        "real": np.array([0.1, np.nan, -np.inf]),
        "single": np.array([0.1, np.nan, 1e30], dtype=np.float32),
        "yes": np.array([True, False, True]),
        "maybe": objects([True, None, False]),
        "at": np.array(["2024-05-31T12:00:00.000001", "NaT", "1683-01-01"], dtype="datetime64[us]"),
        "word": objects(["naïve \0 ' \" \n", None, ""]),
        "list": objects([[1, 2.5], None, [[], ["x"]]]),
        "mixed": objects([1, "1", 1.0]),
        "none": objects([None, None, None]),
        "half a pair": objects(["\ud800", None, "x"]),
        "a": np.arange(3),
        "A": np.arange(3) * 2,
        "": np.arange(3) * 3,
    }
)


def same(left: Table, right: Table) -> None:
    assert left == right
    assert [left[name].dtype for name in left] == [right[name].dtype for name in right]
    for name in left:
        if left[name].dtype.kind == "O":
            assert list(map(repr, left[name])) == list(map(repr, right[name]))  # 1, 1.0 and True are three


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_it_comes_back_cell_by_cell(tmp_path: Path) -> None:
    kept = keep(TABLE, directory=tmp_path)
    assert (kept.rows, kept.path) == (3, tmp_path / f"{kept.digest}.parquet")
    same(open_snapshot(kept.digest, tmp_path), TABLE)


def test_rows_keep_their_order_however_many(tmp_path: Path) -> None:
    count = 300_000
    table = table_of({"i": np.arange(count), "w": [f"word {i % 1000}" for i in range(count)]})
    same(open_snapshot(keep(table, directory=tmp_path).digest, tmp_path), table)


def test_a_table_without_rows_comes_back(tmp_path: Path) -> None:
    none = TABLE.take(np.zeros(3, dtype=bool))
    same(open_snapshot(keep(none, directory=tmp_path).digest, tmp_path), none)


def test_keeping_twice_writes_once(tmp_path: Path) -> None:
    first = keep(TABLE, directory=tmp_path)
    written = first.path.stat().st_mtime_ns
    assert keep(TABLE, directory=tmp_path) == first
    assert first.path.stat().st_mtime_ns == written
    assert names_in(tmp_path) == [first.path.name]


CELLS = {
    "float": st.lists(st.floats(), max_size=8).map(lambda cells: np.array(cells, dtype=np.float64)),
    "int": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=8).map(lambda c: np.array(c, dtype=np.int64)),
    "bool": st.lists(st.booleans(), max_size=8).map(lambda cells: np.array(cells, dtype=bool)),
    "moment": st.lists(st.none() | st.datetimes(), max_size=8).map(
        lambda c: np.array(c, dtype="datetime64[us]")
    ),
    "text": st.lists(st.none() | st.text(), max_size=8).map(objects),
    "object": st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
            max_leaves=4,
        ),
        max_size=8,
    ).map(objects),
}


@given(st.dictionaries(st.text(max_size=5), st.one_of(*CELLS.values()), min_size=1, max_size=4))
def test_whatever_the_cells_are_they_come_back(
    tmp_path_factory: pytest.TempPathFactory, columns: dict[str, np.ndarray]
) -> None:
    rows = min(map(len, columns.values()))
    table = Table({name: cells[:rows] for name, cells in columns.items()})
    directory = tmp_path_factory.mktemp("kept")
    same(open_snapshot(keep(table, directory=directory).digest, directory), table)


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    table = table_of({"a": [1.0, float("nan"), 0.0], "b": ["x", None, "y"]})
    again = table_of({"a": np.array([1.0, -np.nan, -0.0]), "b": ["x", float("nan"), "y"]})
    assert table == again
    assert digest(table) == digest(again)
    changed = [
        {"a": [1.0, 2.0, 0.0], "b": ["x", None, "y"]},
        {"a": [1.0, None, 0.0], "b": ["x", "None", "y"]},
        {"a": [1.0, None, 0.0], "b": ["x", None, "z"]},
        {"a": [1.0, None, 0.0], "c": ["x", None, "y"]},
        {"b": ["x", None, "y"], "a": [1.0, None, 0.0]},
        {"a": [None, 1.0, 0.0], "b": [None, "x", "y"]},
        {"a": [1, 2, 0], "b": ["x", None, "y"]},
        {"a": [1.0, None], "b": ["x", None]},
    ]
    assert len({digest(table), *(digest(table_of(columns)) for columns in changed)}) == len(changed) + 1


def test_the_digest_stays_from_version_to_version() -> None:
    # From a run of this version: snapshots are found by it, so it cannot change without a new format.
    table = table_of({"a": [1, 2], "b": [0.5, None], "c": ["x", None], "t": [datetime(2024, 1, 1), None]})
    assert digest(table) == "45c042e977e7b4d0909e33ea72411a9a6489db4140ee2eb5a86a76d63ee104a7"


def test_a_missing_snapshot(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_snapshot("0" * 64, tmp_path)
    assert caught.value.code == "DA022"


@pytest.mark.parametrize("damage", ["cut", "flip", "other rows", "foreign", "newer", "empty"])
def test_a_damaged_snapshot_is_never_opened(tmp_path: Path, damage: str) -> None:
    table = table_of({"a": np.arange(2000), "b": [f"w{i}" for i in range(2000)]})
    kept = keep(table, directory=tmp_path)
    raw = kept.path.read_bytes()
    if damage == "cut":
        kept.path.write_bytes(raw[: len(raw) // 2])
    elif damage == "flip":
        kept.path.write_bytes(raw[:200] + bytes([raw[200] ^ 1]) + raw[201:])
    elif damage == "other rows":
        other = keep(table.take(np.arange(1999)), directory=tmp_path)
        other.path.replace(kept.path)
    elif damage == "foreign":
        pyarrow.parquet.write_table(
            pyarrow.parquet.read_table(kept.path).replace_schema_metadata({}), kept.path
        )
    elif damage == "newer":
        meta = pyarrow.parquet.read_metadata(kept.path).metadata[b"siklus"]
        newer = json.dumps({**json.loads(meta), "format": 2})
        pyarrow.parquet.write_table(
            pyarrow.parquet.read_table(kept.path).replace_schema_metadata({"siklus": newer}), kept.path
        )
    else:
        kept.path.write_bytes(b"")
    with pytest.raises(DataError) as caught:
        open_snapshot(kept.digest, tmp_path)
    assert caught.value.code == "DA023"
    assert str(kept.path) in caught.value.message


def test_any_tool_reads_what_is_kept(tmp_path: Path) -> None:
    read = pyarrow.parquet.read_table(keep(TABLE, directory=tmp_path).path).to_pydict()
    assert read["whole"] == TABLE["whole"].tolist()
    assert read["word"] == TABLE["word"].tolist()
    assert read["list"] == ["[1, 2.5]", None, '[[], ["x"]]']
    assert read["real"] == [0.1, None, -math.inf]


def test_rows_are_checked_out_as_parquet_and_csv(tmp_path: Path) -> None:
    kept = keep(TABLE, directory=tmp_path / "kept")
    assert check_out(kept.digest, tmp_path / "kept", to=tmp_path / "out" / "rows.parquet") == 3
    assert (
        pyarrow.parquet.read_table(tmp_path / "out" / "rows.parquet")["whole"].to_pylist()
        == TABLE["whole"].tolist()
    )
    assert check_out(kept.digest, tmp_path / "kept", to=tmp_path / "rows.CSV") == 3
    with (tmp_path / "rows.CSV").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["whole"] for row in rows] == ["1", "-4611686018427387904", "3"]
    assert [row["real"] for row in rows] == ["0.1", "", "-inf"]
    assert rows[0]["list"] == "[1, 2.5]"
    assert names_in(tmp_path) == ["kept", "out", "rows.CSV"]


def test_checking_out_to_another_format_is_refused(tmp_path: Path) -> None:
    kept = keep(TABLE, directory=tmp_path)
    with pytest.raises(DataError) as caught:
        check_out(kept.digest, tmp_path, to=tmp_path / "rows.xlsx")
    assert caught.value.code == "DA006"


def test_cells_that_cannot_be_kept_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column 'odd'"):
        keep(Table({"odd": objects([object()])}), directory=tmp_path)
    with pytest.raises(DataError, match="without columns"):
        keep(Table({}), directory=tmp_path)
    assert not list(tmp_path.iterdir())


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from siklus.data.frames import table_of
from siklus.data.snapshot import check_out, keep
from siklus.errors import FileError

directory = Path(sys.argv[1])
random = np.random.default_rng(0)
small, large = table_of({"a": random.random(10)}), table_of({"a": random.random(200_000)})
whole = keep(large, directory=directory / "whole")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # as a disk that fills up
for work in (
    lambda: keep(large, directory=directory),
    lambda: check_out(whole.digest, directory / "whole", to=directory / "rows.csv"),
):
    try:
        work()
    except FileError as error:
        print(error.code, error.message)
print(keep(small, directory=directory).rows)
"""


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True
    )
    first, second, third = done.stdout.splitlines()
    assert first.startswith(f"FS001 {tmp_path}")
    assert second.startswith(f"FS001 {tmp_path / 'rows.csv'}")
    assert third == "10"
    assert len(list(tmp_path.glob("*.parquet"))) == 1
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".parquet") == ["whole"]


def test_missing_cells_stay_what_they_were(tmp_path: Path) -> None:
    table = open_snapshot(keep(TABLE, directory=tmp_path).digest, tmp_path)
    assert np.isnan(table["real"][1])
    assert np.isnat(table["at"][1])
    assert table["word"][1] is None
    assert is_missing(table["none"]).all()
