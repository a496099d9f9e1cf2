"""`python -m tests.deploy.golden_pipelines` writes the pipelines' golden files anew: read the difference."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from siklus.cli.main import main
from siklus.deploy.drafts import LIST
from tests.deploy.projects import project

GOLDEN = Path(__file__).parent / "golden"
PLAIN = '\n[deploy]\nsiklus = "siklus==1.2.0"\n'
BY_SSH = f"""{PLAIN}image = "ghcr.io/acme/flights"
host = "deploy@model.example.com"
folder = "/srv/flights"
url = "https://flights.example.com"

[retrain]
on = ["drift", "schedule:30 4 * * 2"]

[notify.actions]
kind = "github"
repository = "acme/flights"
token_env = "TOKEN"
event_type = "flights-drift"
"""
IN_A_CLUSTER = f"""{PLAIN}image = "registry.gitlab.com/acme/flights"
to = "kubernetes"
namespace = "flights"
url = "https://flights.example.com/model"
base = "python:3.12-slim-bookworm"
"""
# Folder of the golden files → target, and what the project says.
EXAMPLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "github": ("github", BY_SSH),
        "github-check-only": ("github", PLAIN),
        "github-kubernetes": ("github", IN_A_CLUSTER),
        "gitlab": ("gitlab", IN_A_CLUSTER),
        "gitlab-compose": ("gitlab", BY_SSH),
    }
)


def drawn(folder: Path, target: str, more: str, *options: str) -> Path:
    """The folder of a project, which is where pipelines stand."""
    assert main(["deploy", target, "--project", str(project(folder, more)), *options]) == 0
    return folder


def texts(folder: Path) -> dict[str, str]:
    """What was drawn into a project's folder, by path."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path.read_text() for path in found}
    return {name: text for name, text in names.items() if name not in ("siklus.toml", LIST)}


if __name__ == "__main__":
    for name, (target, more) in EXAMPLES.items():
        with tempfile.TemporaryDirectory() as folder:
            shutil.rmtree(GOLDEN / name, ignore_errors=True)
            for path, text in texts(drawn(Path(folder), target, more)).items():
                # No hidden file stands in the repository under a name that tools would take for theirs.
                file = GOLDEN / name / path.replace(".git", "dot-git")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
