"""The faults that there are, by name, and what the page says of them."""

import re
from pathlib import Path

import pytest

from siklus.drill.catalogue import FAULTS, PLACES, by_place, chosen
from siklus.errors import DrillError

PAGE = Path(__file__).parents[2] / "docs" / "drill.md"


def test_without_names_all_are_held_and_each_in_one_place() -> None:
    everything = chosen([])
    assert [fault.name for fault in everything] == list(FAULTS)
    groups = by_place(everything)
    assert sorted(fault.name for group in groups for fault in group) == sorted(FAULTS)
    assert [group[0].place for group in groups] == list(PLACES)


def test_a_name_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(DrillError, match="DR001") as refused:
        chosen(["dead-workers"])
    assert refused.value.expected == "'dead-worker'?"


def test_the_page_tells_of_each_fault_and_of_no_other() -> None:
    named = re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert named == list(FAULTS)
