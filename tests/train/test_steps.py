"""Steps: what is unchanged is not run again, what is asked for is, and a failure leaves nothing behind."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from siklus.errors import TrainError
from siklus.train.steps import KEPT_RESULTS, Note, Planned, Span, Step, carry_out, plan

NAMES = ("read", "learn", "judge")


class Chain:
    """Three steps that write down that they ran."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings: dict[str, object] = dict.fromkeys(NAMES, 0)
        self.code = "first"
        self.holds: Callable[[Path], bool] = Path.is_dir
        self.breaks: BaseException | None = None
        self.ran: list[str] = []

    def planned(
        self, *, first: str | None = None, until: str | None = None, force: bool = False
    ) -> list[Planned]:
        steps = [
            Step(
                name=name,
                about=f"to {name}",
                settings=self.settings[name],
                work=self._work(name),
                holds=self.holds if name == "judge" else Path.is_dir,
            )
            for name in NAMES
        ]
        return plan(steps, root=self.root, code=self.code, span=Span(first=first, until=until, force=force))

    def run(self, **span: object) -> list[str]:
        """The steps that ran."""
        self.ran = []
        carry_out(self.planned(**span), told=lambda planned, note: None)
        return self.ran

    def _work(self, name: str) -> Callable[[Path], str]:
        def work(to: Path) -> str:
            (to / "half").write_text(name)
            if self.breaks is not None and name == "learn":
                raise self.breaks
            self.ran.append(name)
            return f"{name} done"

        return work


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path / "steps")


def why(planned: list[Planned]) -> dict[str, str]:
    return {item.step.name: item.why for item in planned}


def test_a_plan_writes_nothing_and_tells_why(chain: Chain) -> None:
    assert why(chain.planned()) == {
        "read": "it has not run yet",
        "learn": "a step before it runs",
        "judge": "a step before it runs",
    }
    assert not chain.root.exists()


def test_nothing_changed_runs_nothing(chain: Chain) -> None:
    assert chain.run() == list(NAMES)
    assert chain.run() == []
    assert set(why(chain.planned()).values()) == {"nothing that it depends on has changed"}


def test_each_is_told_of_before_and_after(chain: Chain) -> None:
    heard: list[tuple[str, str | None]] = []

    def told(planned: Planned, note: Note | None) -> None:
        heard.append((planned.step.name, note and note.summary))

    carry_out(chain.planned(until="learn"), told=told)
    carry_out(chain.planned(until="learn"), told=told)
    anew = [("read", None), ("read", "read done"), ("learn", None), ("learn", "learn done")]
    assert heard == [*anew, ("read", "read done"), ("learn", "learn done")]


def test_a_change_reaches_what_comes_after_it(chain: Chain) -> None:
    chain.run()
    chain.settings["learn"] = 1
    assert why(chain.planned()) == {
        "read": "nothing that it depends on has changed",
        "learn": "its settings or inputs have changed",
        "judge": "a step before it runs",
    }
    assert chain.run() == ["learn", "judge"]


def test_code_that_changed_runs_all_anew(chain: Chain) -> None:
    chain.run()
    chain.code = "second"
    assert why(chain.planned())["read"] == "Siklus, Python or a library of theirs has changed"
    assert chain.run() == list(NAMES)


def test_going_back_finds_what_was_there(chain: Chain) -> None:
    chain.run()
    chain.settings["learn"] = 1
    chain.run()
    chain.settings["learn"] = 0
    assert chain.run() == []


def test_results_of_a_few_settings_are_kept(chain: Chain) -> None:
    for setting in range(KEPT_RESULTS + 2):
        chain.settings["judge"] = setting
        chain.run()
        # The file system's clock is coarser than these steps are quick.
        for age, kept in enumerate(sorted(chain.root.glob("judge-*"), key=lambda path: path.stat().st_mtime)):
            os.utime(kept, (age, age))
    assert len(list(chain.root.glob("judge-*"))) == KEPT_RESULTS
    assert chain.run() == []


@pytest.mark.parametrize(
    ("span", "wanted"),
    [
        ({"force": True}, ["read", "learn", "judge"]),
        ({"first": "learn"}, ["learn", "judge"]),
        ({"until": "learn"}, []),
        ({"first": "learn", "until": "learn"}, ["learn"]),
        ({"force": True, "until": "read"}, ["read"]),
    ],
)
def test_what_is_asked_for_runs_anew(chain: Chain, span: dict[str, object], wanted: list[str]) -> None:
    chain.run()
    assert chain.run(**span) == wanted


def test_a_span_stops_where_it_is_told_to(chain: Chain) -> None:
    assert chain.run(until="learn") == ["read", "learn"]
    assert chain.run() == ["judge"]


@pytest.mark.parametrize(
    ("span", "code", "expected"),
    [
        ({"first": "lern"}, "TN010", "one of read, learn, judge"),
        ({"until": "lern"}, "TN010", "one of read, learn, judge"),
        ({"first": "judge", "until": "read"}, "TN011", "the order read, learn, judge"),
    ],
)
def test_a_span_that_means_nothing_is_refused(
    chain: Chain, span: dict[str, object], code: str, expected: str
) -> None:
    with pytest.raises(TrainError) as caught:
        chain.planned(**span)
    assert (caught.value.code, caught.value.expected) == (code, expected)


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), SystemExit(143)])
def test_what_ends_a_step_leaves_the_finished_ones_and_nothing_of_its_own(
    chain: Chain, error: BaseException
) -> None:
    chain.breaks = error
    with pytest.raises(type(error)):
        chain.run()
    assert {path.name.partition("-")[0] for path in chain.root.iterdir()} == {"read"}
    chain.breaks = None
    assert chain.run() == ["learn", "judge"]


def test_what_a_killed_process_left_is_cleared_away(chain: Chain) -> None:
    chain.run(until="read")
    left = chain.root / ".learn-0123456789abcdef.xyz"
    left.mkdir()
    (left / "half").write_text("learn")
    chain.run()
    assert not left.exists()


def test_a_result_whose_note_is_damaged_is_made_anew(chain: Chain) -> None:
    chain.run()
    for note in chain.root.glob("learn-*/step.json"):
        note.write_text("{")
    assert chain.run() == ["learn"]


def test_a_result_whose_work_is_gone_elsewhere_is_made_anew(chain: Chain) -> None:
    chain.run()
    chain.holds = lambda directory: False
    assert why(chain.planned())["judge"] == "what it made is gone"
    assert chain.run() == ["judge"]


def test_a_result_that_was_cleaned_away_does_not_take_others_along(chain: Chain) -> None:
    chain.run()
    for path in below(chain.root, "read"):
        path.unlink()
    assert chain.run() == ["read"]


def below(root: Path, name: str) -> Iterator[Path]:
    yield from root.glob(f"{name}-*/*")
