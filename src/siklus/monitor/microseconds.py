"""Moments as records and looks keep them: whole microseconds of Unix time."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us_of(moment: datetime) -> int:
    """
    >>> us_of(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment_of(us: float) -> datetime:
    """In UTC; OverflowError beyond the years 1 to 9999."""
    return EPOCH + timedelta(microseconds=us)
