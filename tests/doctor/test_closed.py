"""What cannot be read, opened or trusted is told with its cure, and nothing is made by looking."""

import errno
import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from siklus.doctor.case import Case
from siklus.doctor.checks import PROJECT
from siklus.doctor.examine import examine
from siklus.doctor.finding import Finding
from tests.cli.projects import files_below, siklus
from tests.doctor.patients import case_of, patient, seen, states, the


def test_a_project_file_that_cannot_be_read_is_one_too(tmp_path: Path) -> None:
    (tmp_path / "siklus.toml").symlink_to("/proc/self/mem")  # nothing is mapped where it begins
    found = siklus("doctor", "-C", tmp_path)
    assert (found.code, found.err) == (1, "")
    assert "PJ002" in found.out
    assert "cannot be read" in found.out


def test_files_from_the_future_tell_of_a_clock_that_is_behind(tmp_path: Path) -> None:
    file = patient(tmp_path) / "siklus.toml"
    os.utime(file, (time.time() + 86_400,) * 2)
    finding = the(seen(case_of(tmp_path), "clock"))
    assert finding.state == "trouble"
    assert "behind what was written here last" in finding.found


def test_a_url_of_no_database_that_is_known_is_not_to_be_asked(tmp_path: Path) -> None:
    finding = the(seen(case_of(patient(tmp_path, '[state]\ncontrol = "mysql://x"\n')), "database"))
    assert finding.state == "trouble"
    assert "psql" not in finding.mend


def test_what_may_not_be_read_is_unknown_with_its_cure(tmp_path: Path) -> None:
    def refused(_case: Case) -> Sequence[Finding]:
        raise PermissionError(errno.EACCES, "Permission denied", "/srv/closed")

    ((_, found),) = examine(Case(folder=tmp_path, environment={}), {"closed": refused})
    assert (found.state, found.found) == ("unknown", "/srv/closed cannot be read by this user")
    assert "chown -R $(id -u) /srv/closed" in found.mend


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_directory_that_cannot_be_written_is_trouble(tmp_path: Path) -> None:
    state = patient(tmp_path) / ".siklus"
    state.mkdir(mode=0o500)
    assert states(seen(case_of(tmp_path), "permissions")) == ["trouble"]
    assert the(seen(case_of(tmp_path), "disk")).state == "trouble"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everywhere")
def test_a_state_directory_that_cannot_be_read_is_trouble(tmp_path: Path) -> None:
    (patient(tmp_path) / ".siklus").mkdir(mode=0o000)
    assert states(seen(case_of(tmp_path), "permissions")) == ["trouble"]


def test_to_look_makes_no_database(tmp_path: Path) -> None:
    """Not even one that a URL names."""
    stores = 'control = "sqlite:///decided.db"\ntracking_uri = "sqlite:///tracked.db"\n'
    before = files_below(patient(tmp_path, f"[state]\n{stores}"))
    found = seen(case_of(tmp_path), *PROJECT)
    assert "trouble" not in states(each for each in found if not each.about.startswith("port"))
    assert files_below(tmp_path) == before
