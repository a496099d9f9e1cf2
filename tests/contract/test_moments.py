"""A moment's parts, with Python's own calendar as the judge."""

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from siklus.contract.columns import Contract, Datetime, Target
from siklus.contract.decode import decode_records, decode_table
from siklus.table import Table, objects

EPOCH = datetime(1970, 1, 1)
ALL_PARTS = ("year", "month", "day", "weekday", "hour", "minute", "dayofyear", "days")
CONTRACT = Contract(columns=(Datetime(name="at", parts=ALL_PARTS),), target=Target(name="y"))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def parts_by_python(moment: datetime) -> list[float]:
    """The declared parts as Python's own calendar has them."""
    naive = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    yearday = naive.timetuple().tm_yday
    days = (naive - EPOCH) / timedelta(days=1)
    return [naive.year, naive.month, naive.day, naive.weekday(), naive.hour, naive.minute, yearday, days]


@given(
    st.lists(
        st.datetimes() | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=OFFSETS),
        min_size=1,
        max_size=5,
    )
)
def test_a_moments_parts_are_those_of_pythons_calendar(moments: list[datetime]) -> None:
    wanted = np.array([parts_by_python(moment) for moment in moments]).astype(np.float32)
    from_text = decode_records([[moment.isoformat()] for moment in moments], CONTRACT).accepted()
    from_cells = decode_table(Table({"at": objects(moments)}), CONTRACT).accepted()
    assert from_text.matrix.tobytes() == wanted.tobytes()
    assert from_cells.matrix.tobytes() == wanted.tobytes()


def test_a_date_is_its_midnight() -> None:
    rows = decode_records([["2013-02-03"], ["2013-02-03T00:00:00Z"], ["2013-02-02T19:00:00-05:00"]], CONTRACT)
    cells = decode_table(Table({"at": objects([date(2013, 2, 3)])}), CONTRACT).accepted().matrix
    for row in rows.accepted().matrix:
        assert row.tolist() == cells[0].tolist() == parts_by_python(datetime(2013, 2, 3))


def test_a_missing_moment_has_no_parts() -> None:
    contract = Contract(columns=(Datetime(name="at", nullable=True),), target=Target(name="y"))
    assert np.isnan(decode_records([[None]], contract).accepted().matrix).all()
    cells = np.array(["2013-01-01", "NaT"], dtype="datetime64[us]")
    matrix = decode_table(Table({"at": cells}), contract).accepted().matrix
    assert np.isnan(matrix).all(axis=1).tolist() == [False, True]
