"""What lies between two looks is exact, over servers, restarts and clocks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from siklus.ledgers.totals import Totals
from siklus.monitor.looks import Looks
from siklus.monitor.readings import asked
from siklus.registry.control import open_control
from tests.monitor.counts import of_version, totals

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MODELS = (f"model-{i}" for i in range(10_000))  # each test its own, since a server's database is shared


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def answered(found: Totals, version: str = "1") -> int:
    of_version = tuple(each for each in found.versions if each.layout.version == version)
    return asked(Totals(of_version, ())).success


@pytest.fixture
def looks(control_url: str | None, tmp_path: Path) -> Iterator[Looks]:
    with open_control(control_url, file=tmp_path / "control.db") as control:
        yield Looks(control, next(MODELS))


def test_a_window_is_what_was_counted_between_its_looks(looks: Looks) -> None:
    for minute, count in [(0, 0), (1, 10), (2, 25), (3, 25), (4, 100)]:
        looks.add(totals(of_version("1", success=count)), replica="a", now=at(minute))

    assert answered(looks.between(at(1), at(3))) == 15
    assert answered(looks.between(at(1), at(3.9))) == 15, "a look counts from its own moment on"
    assert answered(looks.between(None, at(60))) == 100
    assert [answered(step) for step in looks.steps([at(0), at(2), at(4)])] == [25, 75]
    assert looks.last_look() == at(4)


def test_what_has_grown_since_a_moment_holds_nothing_from_before(looks: Looks) -> None:
    """Servers are looked at each at its own time, begin anew, or come and go."""
    for minute, count in [(0, 7), (2, 10), (3, 25), (4, 3)]:  # it began at 0 again after the third
        looks.add(totals(of_version("1", success=count)), replica="a", now=at(minute))
    for minute, count in [(0, 100), (2.5, 140), (3.5, 141)]:
        looks.add(totals(of_version("1", success=count)), replica="b", now=at(minute))
    looks.add(totals(of_version("1", success=1000)), replica="gone", now=at(0))
    looks.add(totals(of_version("1", success=9)), replica="late", now=at(3))
    looks.add(totals(of_version("1", success=13)), replica="late", now=at(4))

    assert answered(looks.grown(at(1), at(4))) == (25 - 10 + 3) + 1 + 4
    assert answered(looks.grown(at(2), at(2))) == 0
    assert answered(looks.grown(at(2.2), at(4))) == 3 + 1 + 4
    assert looks.grown(at(5), at(6)).versions == ()


def test_servers_and_versions_add_up(looks: Looks) -> None:
    for replica, count in [("a", 10), ("b", 100)]:
        looks.add(totals(), replica=replica, now=at(0))
        both = totals(of_version("1", success=count), of_version("2", success=1, error=2))
        looks.add(both, replica=replica, now=at(1))

    found = looks.between(at(0), at(1))
    assert (answered(found), answered(found, "2"), asked(found).error) == (110, 2, 4)


def test_what_a_server_counted_before_its_first_look_is_in_no_window(looks: Looks) -> None:
    looks.add(totals(of_version("1", success=5_000)), replica="a", now=at(10))
    looks.add(totals(of_version("1", success=5_003), of_version("2", success=4)), replica="a", now=at(11))

    assert answered(looks.between(at(0), at(11))) == 3
    assert answered(looks.between(at(0), at(11)), "2") == 4, "a version that came later began at 0"
    assert answered(looks.between(None, at(11))) == 5_003


def test_a_server_that_begins_at_0_again_loses_nothing(looks: Looks) -> None:
    for minute, count in enumerate([0, 50, 3, 7, 1]):
        looks.add(totals(of_version("1", success=count)), replica="a", now=at(minute))

    assert answered(looks.between(at(0), at(4))) == 50 + 7 + 1
    assert answered(looks.between(at(1), at(2))) == 3


def test_servers_that_another_source_tells_of_are_not_counted_twice(
    control_url: str | None, tmp_path: Path
) -> None:
    host = "flights-7c9f8d6b5-abcde.flights.production.svc.cluster.local:8000"
    with open_control(control_url, file=tmp_path / "control.db") as control:
        model = next(MODELS)
        own = Looks(control, model)
        scraped = Looks(control, model, source="prometheus")
        for minute, count in [(0, 100), (1, 110)]:
            own.add(totals(of_version("1", success=count)), replica="a", now=at(minute))
        for minute, count in [(2, 110), (3, 115)]:
            scraped.add(totals(of_version("1", success=count)), replica=host, now=at(minute))

        assert answered(own.between(None, at(3))) == 110
        assert answered(scraped.between(None, at(3), replica=host)) == 115
        assert answered(scraped.between(at(0), at(3))) == 5
        assert (scraped.first_look(), own.last_look()) == (at(2), at(1))


def test_a_clock_that_jumps_loses_nothing(looks: Looks) -> None:
    for minute, count in [(0, 0), (1, 10), (60 * 24, 20), (2, 30), (3, 40)]:
        looks.add(totals(of_version("1", success=count)), replica="a", now=at(minute))

    assert answered(looks.between(None, at(3))) == 40
    assert answered(looks.between(at(1), at(3))) == 30
    assert looks.last_look() == at(3)


def test_old_looks_are_thinned_to_one_an_hour_and_the_sums_stay(looks: Looks) -> None:
    for minute in range(0, 180, 10):
        looks.add(totals(of_version("1", success=minute)), replica="a", now=at(minute))
    looks.thin(now=at(0) + timedelta(days=3))

    assert answered(looks.between(at(0), at(180))) == 170 - 50, "the first hour's last look has 50"
    assert answered(looks.between(at(59), at(119))) == 60
    looks.thin(now=at(0) + timedelta(days=4_000))
    assert answered(looks.between(None, at(180))) == 170, "a server's last look stays"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(
    grown=st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 40), st.booleans()), min_size=1, max_size=25
    )
)
def test_the_steps_are_the_whole_however_servers_restart(
    looks: Looks, grown: list[tuple[str, int, bool]]
) -> None:
    replicas = {name: f"{name}-{next(MODELS)}" for name in "ab"}
    before = answered(looks.between(None, at(0) + timedelta(days=900)))
    begin = max(looks.last_look() or START, START) + timedelta(minutes=1)
    counts = dict.fromkeys("ab", 0)
    for name in "ab":
        looks.add(totals(of_version("1")), replica=replicas[name], now=begin)
    truth = 0
    for minute, (name, more, restarts) in enumerate(grown, start=1):
        # A restart between two looks shows only where less was counted after it than before.
        counts[name] = more if restarts and more < counts[name] else counts[name] + more
        truth += more
        looks.add(
            totals(of_version("1", success=counts[name])),
            replica=replicas[name],
            now=begin + timedelta(minutes=minute),
        )
    ends = [begin + timedelta(minutes=minute) for minute in range(0, len(grown) + 3, 3)]
    assert sum(answered(step) for step in looks.steps(ends)) == truth
    assert answered(looks.between(None, ends[-1])) == before + truth
