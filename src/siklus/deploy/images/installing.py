"""How Siklus itself gets into an image or onto a pipeline's machine: from an index, or as a wheel."""

import re
from pathlib import Path

from msgspec import Struct

from siklus import __version__
from siklus.errors import DeployError
from siklus.project.file import OpenProject

WHEEL = re.compile(r"siklus-[A-Za-z0-9.+_]+-py3-none-any\.whl")


class Installing(Struct, frozen=True, kw_only=True):
    """One of the two. ``requirement``: what an index has. ``wheel``: a path from the project on."""

    requirement: str | None = None
    wheel: str | None = None


def installing(project: OpenProject) -> Installing:
    """What [deploy] siklus says, or else the version that runs here.

    DeployError DP010 where that is a checkout, of which an index has nothing; DP011 where the wheel is none.
    """
    given = project.settings.deploy.siklus
    if given is not None and given.endswith(".whl"):
        return Installing(wheel=_wheel(project.paths.root, given))
    if given is None and (checkout := _checkout()) is not None:
        wheel = f"deploy/siklus-{__version__}-py3-none-any.whl"
        raise DeployError(
            "DP010",
            f"this Siklus is a checkout ({checkout}), which no image can install from an index",
            expected=f"a wheel of it (`pip wheel --no-deps --wheel-dir deploy {checkout}`), and "
            f'[deploy] siklus = "{wheel}"; or siklus = "siklus==VERSION" for one that is published',
        )
    return Installing(requirement=given if given and "==" in given else f"siklus=={__version__}")


def _wheel(root: Path, given: str) -> str:
    path = root / given
    if WHEEL.fullmatch(path.name) is None or not path.is_file():
        raise DeployError(
            "DP011",
            f"[deploy] siklus = {given!r}: no such wheel below {root}",
            expected="a file such as deploy/siklus-1.2.0-py3-none-any.whl",
        )
    return given


def _checkout() -> Path | None:
    """Where the package lies as it is developed; None where it is installed."""
    root = Path(__file__).parents[4]
    return root if (root / "pyproject.toml").is_file() else None
