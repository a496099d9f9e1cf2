"""[rollout] steps: they grow, and the champion answers somebody on the first one."""

from pathlib import Path

import pytest

from siklus.errors import ProjectError
from siklus.project.file import FILE_NAME, read_project
from siklus.project.loop import RolloutPlan, Step

HEAD = """\
[project]
name = "flights"
task = "regression"

[data]
path = "flights.csv"
target = "air_time"

[rollout]
hold = "2h"
"""


def plan(folder: Path, steps: str) -> RolloutPlan:
    path = folder / FILE_NAME
    path.write_text(f"{HEAD}steps = {steps}\n")
    return read_project(path, environment={}).rollout


@pytest.mark.parametrize(
    ("written", "steps"),
    [
        ('["shadow", 0.05, 1.0]', ("shadow", 0.05, 1.0)),
        ("[0.1, 0.5]", (0.1, 0.5)),
        ('["shadow"]', ("shadow",)),
    ],
)
def test_a_way_may_begin_and_end_anywhere_below_all(
    written: str, steps: tuple[Step, ...], tmp_path: Path
) -> None:
    assert plan(tmp_path, written).steps == steps


@pytest.mark.parametrize("written", ["[1.0]", "[0.5, 0.1, 1.0]", '[0.1, "shadow"]', "[0.1, 0.1]"])
def test_steps_that_do_not_grow_are_refused_by_their_line(written: str, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="steps") as caught:
        plan(tmp_path, written)
    assert caught.value.code == "PJ004"
    assert f"{FILE_NAME}:11: [rollout] steps" in str(caught.value)
    assert caught.value.expected == "'shadow' or a share below 1 first, then growing shares"
