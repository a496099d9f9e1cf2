"""Traffic: decisions follow one another, none is lost or half written, on SQLite and on PostgreSQL."""

import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from siklus.errors import FileError, MissingExtra, RegistryError, SiklusError
from siklus.registry.control import Control, control_uri, open_control
from siklus.registry.policy import Allotment, checked, everything_to
from siklus.registry.traffic import Traffic
from tests.registry.policies import DIGEST, NOW, allotment, arm
from tests.registry.racing import TIMES, decide
from tests.tracking.stores import new_name

WRITERS = 4


@pytest.fixture
def control(control_url: str | None, tmp_path: Path) -> Iterator[Control]:
    with open_control(control_url, file=tmp_path / "state" / "control.db") as control:
        yield control


@pytest.fixture
def traffic(control: Control) -> Traffic:
    return Traffic(control, new_name())


def refusal(code: str, call: Callable[[], object]) -> SiklusError:
    with pytest.raises(SiklusError) as caught:
        call()
    assert caught.value.code == code
    return caught.value


def test_nothing_is_decided_at_first(traffic: Traffic) -> None:
    assert (traffic.current(), traffic.history(), traffic.revision()) == (None, [], 0)


def test_a_decision_comes_back_as_it_was_made(traffic: Traffic) -> None:
    decided = allotment(
        arm(share=0.7),
        arm("challenger", 2, 0.1),
        arm("blue", 4, 0.2),
        shadows=(arm("shadow-9", 9, 0.0),),
        sticky="header:x-user",
        salt="pepper",
    )
    made = traffic.append(decided, follows=0, by="jane", now=NOW, reason="größer & besser")
    assert (made.revision, made.by, made.created, made.reason) == (1, "jane", NOW, "größer & besser")
    assert made.allotment == decided
    assert traffic.current() == made


def test_history_is_kept_the_newest_first(traffic: Traffic) -> None:
    made = [traffic.append(allotment(arm(version=n + 1)), follows=n, by="jane", now=NOW) for n in range(5)]
    assert traffic.history() == made[::-1]
    assert traffic.history(limit=2) == made[:2:-1]
    assert traffic.revision() == 5


@pytest.mark.parametrize("seen", [0, 2])
def test_whoever_has_not_seen_the_latest_is_refused(traffic: Traffic, seen: int) -> None:
    traffic.append(allotment(), follows=0, by="jane", now=NOW)
    error = refusal("RG014", lambda: traffic.append(allotment(), follows=seen, by="joe", now=NOW))
    assert error.message.endswith(f"follow revision {seen}, but the latest is 1 by jane")
    assert traffic.revision() == 1


def test_models_do_not_see_each_other(control: Control) -> None:
    one, other = Traffic(control, new_name()), Traffic(control, new_name())
    one.append(allotment(), follows=0, by="jane", now=NOW)
    assert (one.revision(), other.revision()) == (1, 0)


def test_numbers_go_on_where_a_database_was_lost(traffic: Traffic) -> None:
    assert traffic.append(allotment(), follows=0, by="jane", now=NOW, published=41).revision == 42
    assert traffic.append(allotment(), follows=42, by="jane", now=NOW, published=41).revision == 43


def test_of_many_that_decide_at_once_one_wins_each_revision(control_url: str | None, tmp_path: Path) -> None:
    """They meet a database without the table, and SQLite's without a file."""
    processes = multiprocessing.get_context("spawn")
    start, outcomes, model = processes.Barrier(WRITERS), processes.Queue(), new_name()
    file = tmp_path / "control.db"
    given = (control_url, str(file), model, start, outcomes)
    running = [processes.Process(target=decide, args=given) for _ in range(WRITERS)]
    for process in running:
        process.start()
    found = [outcomes.get(timeout=60) for _ in range(WRITERS * TIMES)]
    for process in running:
        process.join()
    decided = sorted(revision for outcome, revision in found if outcome == "decided")
    assert decided == list(range(1, len(decided) + 1))
    assert len(decided) >= TIMES
    assert {outcome for outcome, _ in found} <= {"decided", "RG014"}
    with open_control(control_url, file=file) as control:
        kept = Traffic(control, model).history(limit=100)
    assert sorted(policy.revision for policy in kept) == decided
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


WRONG: list[tuple[Allotment, str]] = [
    (Allotment(arms=()), "exactly one champion"),
    (allotment(arm("blue")), "exactly one champion"),
    (allotment(arm("blue", 2, 0.5), arm(share=0.5)), "as the first arm"),
    (allotment(arm(share=0.5), arm(version=2, share=0.5)), "exactly one champion"),
    (allotment(arm(share=0.5), arm("blue", 2, 0.4)), "1"),
    (allotment(arm(share=1.0), arm("blue", 2, 0.1)), "1"),
    (allotment(arm(share=float("nan"))), "a share above 0"),
    (allotment(arm(share=1.5), arm("blue", 2, -0.5)), "a share above 0"),
    (allotment(arm(), arm("blue", 2, 0.0)), "a share above 0"),
    (allotment(arm(share=0.5), arm("blue", 1, 0.5)), "each version once"),
    (allotment(arm(), shadows=(arm("shadow-1", 1, 0.0),)), "each version once"),
    (allotment(arm(), shadows=(arm("shadow-2", 2, 0.1),)), "0"),
    (allotment(arm(share=0.5), arm("Blue", 2, 0.5)), "lower-case letters"),
    (allotment(arm(share=0.5), arm('a"} 1', 2, 0.5)), "lower-case letters"),
    (allotment(arm(share=0.5), arm("", 2, 0.5)), "lower-case letters"),
    (allotment(arm(share=0.2), *(arm(f"a{n}", n, 0.1) for n in range(2, 10))), "at most 8"),
    (allotment(arm(share=0.2), arm("a", 2, 0.4), arm("a", 3, 0.4)), "a name for each"),
    (allotment(salt="x" * 17), "at most 16 letters"),
    (allotment(salt="ä"), "at most 16 letters"),
]


@pytest.mark.parametrize(("wrong", "expected"), WRONG)
def test_what_cannot_be_served_is_never_decided(wrong: Allotment, expected: str) -> None:
    assert expected in (refusal("RG012", lambda: checked(wrong)).expected or "")


def test_a_wrong_allotment_is_not_written(traffic: Traffic) -> None:
    refusal("RG012", lambda: traffic.append(WRONG[0][0], follows=0, by="jane", now=NOW))
    assert traffic.revision() == 0


@pytest.mark.parametrize("sticky", ["", "header:", "header:a b", "column:", "cookie:x", "x-user", "header:é"])
def test_an_unclear_key_is_refused(sticky: str) -> None:
    refusal("RG011", lambda: checked(allotment(sticky=sticky)))


@pytest.mark.parametrize("shares", [(0.9, 0.1), (1 / 3, 2 / 3), (0.7, 0.1, 0.1, 0.1)])
def test_shares_may_round(shares: tuple[float, ...]) -> None:
    names = ["champion", "a", "b", "c"]
    assert checked(allotment(*(arm(names[i], i + 1, share) for i, share in enumerate(shares))))


def test_a_promotion_keeps_the_key_and_its_salt() -> None:
    before = allotment(
        arm(share=0.5), arm("blue", 2, 0.5), shadows=(arm("shadow-3", 3, 0.0),), sticky="column:id", salt="x"
    )
    after = everything_to(before.arms[1], after=before)
    assert after == allotment(arm(version=2), sticky="column:id", salt="x")
    assert everything_to(arm(), after=None) == allotment()


@pytest.mark.parametrize(
    "url", ["mysql://a:secret@h/b", "nonsense", "sqlite://", "sqlite:///:memory:", "redis://x"]
)
def test_only_two_kinds_of_database_are_known(url: str, tmp_path: Path) -> None:
    with pytest.raises(RegistryError) as caught, open_control(url, file=tmp_path / "x"):
        pass
    assert caught.value.code == "RG013"
    assert "secret" not in str(caught.value)


def test_a_database_that_does_not_answer_is_told_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://jane:secret@/db?host={tmp_path}"
    try:
        with pytest.raises(RegistryError) as caught, open_control(url, file=tmp_path / "x") as control:
            Traffic(control, "flights")
    except MissingExtra as exc:
        pytest.skip(str(exc))
    assert caught.value.code == "RG010"
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    file = tmp_path / "control.db"
    file.write_text("no database, but long enough to have a header" * 50)
    with pytest.raises(RegistryError) as caught, open_control(None, file=file) as control:
        Traffic(control, "flights")
    assert caught.value.code == "RG010"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError) as caught, open_control(None, file=tmp_path / "file" / "control.db"):
        pass
    assert caught.value.code == "FS001"


@pytest.mark.parametrize("name", ["a?b", "a%20b", "ä #1"])
def test_a_path_may_hold_any_character(name: str, tmp_path: Path) -> None:
    with open_control(None, file=tmp_path / name / "control.db") as control:
        assert Traffic(control, "flights").append(allotment(), follows=0, by="jane", now=NOW).revision == 1
    assert (tmp_path / name / "control.db").is_file()


def test_a_relative_path_counts_from_the_project(tmp_path: Path) -> None:
    uri: Any = control_uri("sqlite:///shared/control.db", tmp_path)
    with open_control(uri, file=tmp_path / "not this one") as control:
        Traffic(control, "flights")
    assert (tmp_path / "shared" / "control.db").is_file()
    assert control_uri(None, tmp_path) is None
    assert DIGEST not in repr(control)
