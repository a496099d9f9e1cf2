"""The demo from its beginning to its end: a project made anew, and the year that passes through its loop."""

import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from siklus.bundle.read import open_bundle
from siklus.demo.flights import make_project
from siklus.demo.moment import Moment
from siklus.demo.pace import Pace
from siklus.demo.passage import Passage, Show
from siklus.demo.server import serving
from siklus.demo.summary import Summary, summary_of
from siklus.demo.year import YEAR, year
from siklus.files import disk_errors, lock
from siklus.monitor.rounds import LOCK
from siklus.project.file import OpenProject
from siklus.registry.control import control_uri, open_control
from siklus.train.results import Release

WHOLE_YEAR = tuple(range(2, 13))  # months; January is what the first model learns from
WHAT = "a watch or a loop"


def new_project(folder: Path, *, pace: Pace) -> OpenProject:
    """The demo's project, without anything that an earlier demo has left in its state.

    ProjectError PJ011 when something else than a demo is in ``folder``; FileError FS002 while it is served.
    """
    project = make_project(folder, pace=pace)
    with lock(project.paths.run / LOCK, what=WHAT), disk_errors(project.paths.state):
        shutil.rmtree(project.paths.state)
    return project


def live_through(
    project: OpenProject, january: Release, *, pace: Pace, months: Sequence[int] = WHOLE_YEAR, show: Show
) -> Summary:
    """Serve January's version, and let the months pass. ``show`` is told of each moment.

    ServeError SV011 for a server that does not become ready, or follows no more.
    """
    if january.bundle is None or january.version is None:
        raise ValueError("January gave no version: a gate of its training does not hold")
    show(Moment(day=date(YEAR, months[0], 1), doing="the server starts"))
    url = control_uri(project.settings.state.control, project.paths.root)
    first = open_bundle(Path(january.bundle), version=str(january.version))
    with (
        lock(project.paths.run / LOCK, what=WHAT),
        serving(project) as client,
        open_control(url, file=project.paths.control_database) as control,
    ):
        passage = Passage(project, first, client, control, show=show)
        try:
            for days in year(project.paths.root, pace=pace, months=months):
                passage.go(days)
        finally:
            passage.end()
    return summary_of(passage.moment, passage.days, january=january, request_ms=passage.request_ms)
