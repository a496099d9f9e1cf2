"""Durations as they are written in a project file."""

import pytest

from siklus.project.durations import seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h", 3600), ("30d", 2_592_000), ("2w", 1_209_600)]
)
def test_a_duration_is_a_number_with_its_unit(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "0s", "-1h", "1.5h", "1h30m", "10 m", "1y"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        seconds_of(text)
