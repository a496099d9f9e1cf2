"""Sources that cannot be read: each says its code, its file, and where known its line; never a traceback."""

import bz2
import gzip
import os
import struct
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from siklus.data.sources import open_source
from siklus.errors import DataError, MissingExtra, ProjectError
from siklus.project.sections import Data


def refused(directory: Path, **section: object) -> DataError:
    with pytest.raises(DataError) as caught:
        open_source(Data(target="y", **section), directory=directory).read()  # type: ignore[arg-type]  # any key
    return caught.value


def refused_file(directory: Path, name: str, content: str | bytes) -> DataError:
    (directory / name).write_bytes(content.encode() if isinstance(content, str) else content)
    error = refused(directory, path=name)
    assert str(directory / name) in error.message
    assert str(error).startswith(error.code)
    in_a_query = refused(directory, query=f"SELECT * FROM '{name}'")
    assert in_a_query.code == error.code
    return error


def test_a_missing_file(tmp_path: Path) -> None:
    for section in (
        {"path": "no.csv"},
        {"path": "no-*.csv"},
        {"query": "FROM 'no.csv'"},
        {"path": "no.csv.zip"},
    ):
        assert refused(tmp_path, **section).code == "DA004"
    assert refused(tmp_path, query="FROM read_csv('no.csv')").code == "DA004"
    assert refused(tmp_path, query="FROM read_csv('no-*.csv')").code == "DA004"


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    error = refused(tmp_path, path="rows")
    assert (error.code, error.expected) == ("DA005", "a file, or a glob such as rows/*.csv")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rows.csv").write_text("a\n1\n")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the tests may run as root, who may all
    assert refused(tmp_path, path="rows.csv").code == "DA025"
    assert refused(tmp_path, path="x" * 300 + ".csv").code == "DA025"


@pytest.mark.parametrize("name", ["rows.xlsx", "rows", "rows.gz", "rows.csv.bz2"])
def test_an_unknown_suffix(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(bz2.compress(b"a,b\n1,2\n"))
    assert refused(tmp_path, path=name).code == "DA006"


@pytest.mark.parametrize("name", ["rows.csv", "rows.json", "rows.jsonl", "rows.parquet"])
def test_an_empty_file(tmp_path: Path, name: str) -> None:
    assert refused_file(tmp_path, name, "").code == "DA009"


def test_a_header_alone(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n")
    assert refused(tmp_path, path="rows.csv").code == "DA009"


@pytest.mark.parametrize("rows", [1, 30_000])
@pytest.mark.parametrize("line", ["4,5", "4,5,6,7"])
def test_a_ragged_line_is_named(tmp_path: Path, rows: int, line: str) -> None:
    error = refused_file(tmp_path, "rows.csv", "a,b,c\n" + "1,2,3\n" * rows + f"{line}\n6,7,8\n")
    assert error.code == "DA008"
    assert f": line {rows + 2}: Expected Number of Columns: 3 Found: {line.count(',') + 1}" in error.message


def test_a_quote_that_never_closes(tmp_path: Path) -> None:
    error = refused_file(tmp_path, "rows.csv", 'a,b\n1,x\n2,"y\n3,z\n')
    assert error.code == "DA008"
    assert ": line 3: " in error.message
    assert refused_file(tmp_path, "rows.csv", 'a,"b\n1,x\n2,y\n').code == "DA008"


def test_a_blank_first_line(tmp_path: Path) -> None:
    assert refused_file(tmp_path, "rows.csv", "\na,b\n1,2\n").code == "DA008"


def test_two_kinds_of_line_end(tmp_path: Path) -> None:
    assert refused_file(tmp_path, "rows.csv", "a,b\r\n1,x\n2,y\r\n").code == "DA008"


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("a,b\n1,x\n2,é\n3,z\n".encode("latin-1"), "line 3: byte 0xe9"),
        ("a,ä\n1,x\n".encode("latin-1"), "line 1: byte 0xe4"),
        (b"a,b\n" + b"1,x\n" * 300_000 + b"2,\xff\n", "line 300002: byte 0xff"),
        ("a,b\n1,x\n".encode("utf-16"), "line 1 is UTF-16"),
    ],
)
def test_another_encoding(tmp_path: Path, content: bytes, place: str) -> None:
    error = refused_file(tmp_path, "rows.csv", content)
    assert error.code == "DA007"
    assert place in error.message
    assert "UTF-8" in f"{error.expected}"


def test_another_encoding_inside_gz(tmp_path: Path) -> None:
    error = refused_file(tmp_path, "rows.csv.gz", gzip.compress("a,b\n1,é\n".encode("latin-1")))
    assert error.code == "DA007"
    assert "line 2: byte 0xe9" in error.message


@pytest.mark.parametrize("header", ["a,b,a", 'a,b," a "', "a;b;a"])
def test_a_column_name_that_stands_twice(tmp_path: Path, header: str) -> None:
    error = refused_file(tmp_path, "rows.csv", f"{header}\n{header}\n")
    assert error.code == "DA003"
    assert "line 1: named more than once: 'a'" in error.message


def test_a_parquet_column_that_stands_twice(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    pa.parquet.write_table(table, tmp_path / "rows.parquet")
    assert refused(tmp_path, path="rows.parquet").code == "DA003"


def test_names_that_differ_by_case_are_two_columns_of_a_file_and_one_of_a_query(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,A\n1,2\n")
    table = open_source(Data(path="rows.csv", target="a"), directory=tmp_path).read().table
    assert list(table.records()) == [{"a": 1, "A": 2}]
    assert refused(tmp_path, query="FROM 'rows.csv'").code == "DA003"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.parquet", b"PAR1 and no more"),
        ("rows.json", b"[1, 2, 3]"),
        ("rows.json", b'[{"a": 1}, {"a": '),
        ("rows.jsonl", b'{"a": 1}\n{"a": 2\n'),
        ("rows.csv.gz", b"no gzip at all"),
        ("rows.csv.gz", gzip.compress(b"a,b\n" + b"".join(b"%d,x\n" % i**9 for i in range(20_000)))[:-400]),
    ],
)
def test_a_file_that_is_not_what_its_suffix_says(tmp_path: Path, name: str, content: bytes) -> None:
    assert refused_file(tmp_path, name, content).code == "DA011"


def zipped(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_a_zip_without_exactly_one_table(tmp_path: Path) -> None:
    zipped(tmp_path / "none.zip", {"__MACOSX/._a.csv": b"fork"})
    zipped(tmp_path / "two.zip", {"a.csv": b"x\n1\n", "b.csv": b"x\n1\n"})
    zipped(tmp_path / "other.zip", {"a.xlsx": b"PK"})
    assert "0 files inside (none)" in refused(tmp_path, path="none.zip").message
    assert "2 files inside (a.csv, b.csv)" in refused(tmp_path, path="two.zip").message
    assert refused(tmp_path, path="two.zip").code == "DA010"
    assert refused(tmp_path, path="other.zip").code == "DA006"


def test_a_zip_that_is_damaged_or_none(tmp_path: Path) -> None:
    assert refused_file(tmp_path, "a.csv.zip", b"no zip").code == "DA010"
    zipped(tmp_path / "b.csv.zip", {"b.csv": b"x,y\n" + b"1,2\n" * 5000})
    whole = (tmp_path / "b.csv.zip").read_bytes()
    assert refused_file(tmp_path, "b.csv.zip", whole[:40] + b"????" + whole[44:]).code == "DA010"


def test_an_encrypted_zip(tmp_path: Path) -> None:
    zipped(tmp_path / "a.csv.zip", {"a.csv": b"x,y\n1,2\n"})
    raw = bytearray((tmp_path / "a.csv.zip").read_bytes())
    for signature, flags_at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = raw.index(signature) + flags_at
        raw[at : at + 2] = struct.pack("<H", 1)  # "encrypted", in the member's header and in the directory
    error = refused_file(tmp_path, "a.csv.zip", bytes(raw))
    assert error.code == "DA010"
    assert "password" in error.message


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    zipped(tmp_path / "a.csv.zip", {"a.csv": b"x,y\n" + b"1,2\n" * 1000})
    raw = bytearray((tmp_path / "a.csv.zip").read_bytes())
    at = raw.index(b"PK\x01\x02") + 24  # the directory's word for the unpacked size
    raw[at : at + 4] = struct.pack("<I", 3 << 30)
    error = refused_file(tmp_path, "a.csv.zip", bytes(raw))
    assert error.code == "DA010"
    assert "unpacks to more than 1024 MiB" in error.message


def test_a_broken_line_inside_a_zip_names_the_member(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", {"inside/rows.csv": b"x,y\n1,2\n3\n"})
    error = refused(tmp_path, path="a.zip")
    assert error.code == "DA008"
    assert f"{tmp_path / 'a.zip'} (rows.csv): line 3" in error.message


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        ("SELECT a\nFROM 'rows.csv'\nWHERE a = = 1", "DA012", "line 3 of the query: syntax error"),
        ("SELECT b FROM 'rows.csv'", "DA012", '"b" not found'),
        ("SELECT a FROM rows", "DA012", "rows does not exist"),
        ("SELECT CAST(t AS DATE) FROM 'rows.csv'", "DA012", '"p"'),
        ("SELECT 1; SELECT 2", "DA013", "2 statements"),
        ("", "DA013", "0 statements"),
        ("CREATE TABLE x AS SELECT 1", "DA013", "Only SELECT"),
        ("COPY (SELECT 1) TO 'out.csv'", "DA013", "Only SELECT"),
        ("SELECT a, a FROM 'rows.csv'", "DA003", "'a'"),
        ("SELECT r.*, s.* FROM 'rows.csv' r JOIN 'rows.csv' s USING (a)", "DA003", "'a', 't'"),
        ("SELECT a FROM 'rows.csv' WHERE a > 5", "DA009", "no rows"),
        ("FROM 'https://example.com/a.csv'", "DA004", "no such file"),
        ("FROM read_csv('s3://bucket/a.csv')", "DA004", "no such file"),
        ("FROM sqlite_scan('rows.db', 'r')", "DA012", "sqlite_scan"),
        ("INSTALL httpfs", "DA013", "Only SELECT"),
    ],
)
def test_a_query_that_cannot_be_run(tmp_path: Path, query: str, code: str, said: str) -> None:
    (tmp_path / "rows.csv").write_text("a,t\n1,p\n2,q\n")
    error = refused(tmp_path, query=query)
    assert error.code == code
    assert said in error.message
    assert "\n" not in error.message
    assert not (tmp_path / "out.csv").exists()


def test_files_that_differ_by_case_only_are_not_taken_for_one_another(tmp_path: Path) -> None:
    for name in ("Rows.csv", "rows.csv"):
        (tmp_path / name).write_text(f"a\n{name}\n")
    assert refused(tmp_path, query="FROM 'Rows.csv' UNION ALL FROM 'rows.csv'").code == "DA012"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("no url", "DA014"),
        ("nodb://user:s3cret@host/name", "DA014"),
        ("sqlite:///no.db", "DA004"),
        ("sqlite:///folder", "DA005"),
        ("sqlite:///text.db", "DA012"),
    ],
)
def test_a_database_that_cannot_be_reached(tmp_path: Path, url: str, code: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.db").write_text("this is no database, but long enough to have a header " * 20)
    error = refused(tmp_path, url=url, query="SELECT name FROM sqlite_master")
    assert error.code == code
    assert "s3cret" not in str(error)
    assert not (tmp_path / "no.db").exists()


def test_a_missing_driver_is_named(tmp_path: Path) -> None:
    source = open_source(
        Data(url="oracle+cx_oracle://u:s3cret@h/x", query="SELECT 1", target="y"), directory=tmp_path
    )
    with pytest.raises(MissingExtra, match="cx_Oracle") as caught:
        source.read()
    assert caught.value.code == "XT001"
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in source.describe()


@pytest.mark.parametrize("section", [{}, {"url": "sqlite://"}, {"path": "a.csv", "query": "SELECT 1"}])
def test_a_section_that_names_no_single_source(tmp_path: Path, section: dict[str, str]) -> None:
    with pytest.raises(ProjectError, match="names no single source"):
        open_source(Data(target="y", **section), directory=tmp_path)
