"""What is committed: it names no machine and no registry, and what stands in two places agrees."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from sys import stdlib_module_names
from typing import Any

from tests.architecture.source import ROOT, called_name, imports, product, refuse

# Written in two halves, so that this file does not name them itself.
HOSTS = [
    "pypi" + ".org", "python" + "hosted.org", "npmjs" + ".org", "yarnpkg" + ".com", "conda" + ".anaconda.org",
    "download.pytorch" + ".org", "crates" + ".io", "proxy.golang" + ".org",
]  # fmt: skip
FOLDERS = ["/" + name + "/" for name in ("opt", "root", "home", "work", "Users", "mnt")]
# PyTorch's wheels differ from machine to machine; Evidently asks for an older pandas than all others.
UNLOCKED = {"torch", "evidently"}
LONGEST_TEXT = 2_000_000  # bytes; anything larger is data, not something that a person wrote

# What no module imports by name, and why it is installed all the same.
UNIMPORTED: Mapping[str, str] = {
    "alembic": "MLflow's SQL store migrates its tables with it",
}


@cache
def committed() -> tuple[Path, ...]:
    """The files that git tracks; in an unpacked archive, all that are not hidden."""
    if (ROOT / ".git").exists():
        done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
        return tuple(path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file())
    hidden = (path for path in ROOT.rglob("*") if not any(p[0] == "." for p in path.relative_to(ROOT).parts))
    return tuple(path for path in hidden if path.is_file())


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    if path.stat().st_size > LONGEST_TEXT:
        return
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    yield from enumerate(text.splitlines(), start=1)


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def distribution(requirement: str) -> str:
    """`scikit-learn` for `scikit-learn>=1.6`."""
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def locked(name: str) -> dict[str, set[str]]:
    """Distribution → versions in a lock: one, or one for each range of Pythons."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE):
        found.setdefault(package, set()).add(version)
    return found


def test_no_committed_file_names_a_registry_or_a_machine() -> None:
    hosts = re.compile("|".join(map(re.escape, HOSTS)))
    # Inside a longer path or an address such a name says nothing.
    folders = re.compile(r"(?<![\w.}>)/-])(?:" + "|".join(FOLDERS) + ")")
    refuse(
        f"{path.relative_to(ROOT)}:{number}: names {found.group()!r}; say it without the place"
        for path in committed()
        for number, line in lines_of(path)
        if (found := hosts.search(line) or folders.search(line))
    )


def test_no_secret_and_no_environment_is_committed() -> None:
    names = {".env", ".venv", "venv", ".siklus", "__pycache__", "mlruns", ".pypirc", "id_ed25519", "id_rsa"}
    refuse(
        f"{path.relative_to(ROOT)}: is no source; git rm --cached it and add it to .gitignore"
        for path in committed()
        if names & set(path.relative_to(ROOT).parts) or path.suffix in {".pem", ".key", ".pyc"}
    )


def test_every_import_is_a_declared_dependency() -> None:
    core = {distribution(line) for line in project()["project"]["dependencies"]}
    owners = packages_distributions()
    refuse(
        f"{source.at(found.line)}: {found.module} belongs to no core dependency of pyproject.toml; "
        'add it there, or import it by siklus.extras.need("…", extra="…")'
        for source in product()
        for found in imports(source)
        if not found.by_call
        and (top := found.module.partition(".")[0]) not in stdlib_module_names | {"siklus", "__future__"}
        and not core & {distribution(owner) for owner in owners.get(top, [])}
    )


def test_every_extra_that_is_asked_for_exists() -> None:
    extras = project()["project"]["optional-dependencies"]
    refuse(
        f"{source.at(node)}: siklus[{extra}] would install nothing: pyproject.toml has no such extra"
        for source in product()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and called_name(node) == "need"
        for given in node.keywords
        if given.arg == "extra" and isinstance(given.value, ast.Constant)
        if (extra := given.value.value) not in extras and extra is not None
    )


def test_every_core_dependency_is_imported() -> None:
    tops = {found.module.partition(".")[0] for source in product() for found in imports(source)}
    owners = packages_distributions()
    used = {distribution(owner) for top in tops for owner in owners.get(top, [])}
    core = {distribution(line) for line in project()["project"]["dependencies"]}
    refuse(
        f"pyproject.toml: {name} is imported nowhere; take it out" for name in core - used - UNIMPORTED.keys()
    )
    refuse(
        f"UNIMPORTED: {name} is imported or gone; take it off" for name in UNIMPORTED.keys() - (core - used)
    )


def test_the_locks_hold_names_versions_and_hashes_only() -> None:
    line = re.compile(r"#.*|[a-z0-9.-]+==\S+( ; [^\\]+)?\s*\\?|    --hash=sha256:[0-9a-f]{64}( \\)?|")
    refuse(
        f"{path.name}:{number}: {text!r} is no name, version or hash; make it with `make lock`"
        for path in committed()
        if path.match("requirements*.lock")
        for number, text in lines_of(path)
        if not line.fullmatch(text)
    )


def test_the_lock_holds_all_that_is_declared() -> None:
    declared = project()["project"]
    extras = declared["optional-dependencies"]
    lines = declared["dependencies"] + [
        line for name in extras if name not in UNLOCKED for line in extras[name]
    ]
    names = {distribution(line) for line in lines} - {"siklus"}
    missing = names - locked("requirements.lock").keys()
    assert not missing, f"{sorted(missing)} are in pyproject.toml but not in requirements.lock: `make lock`"


def test_images_run_the_versions_that_were_tested() -> None:
    tested = locked("requirements.lock")
    images = "src/siklus/deploy/images"
    for group in ("serve", "native"):
        wanted = {distribution(line) for line in project()["dependency-groups"][group]}
        held = locked(f"{images}/requirements-{group}.lock").keys()
        assert wanted <= held, f"requirements-{group}.lock is behind pyproject.toml: `make lock`"
    refuse(
        f"requirements-{image}.lock: {name} {versions} is not what requirements.lock has: `make lock`"
        for image in ("serve", "native", "loop")
        for name, versions in locked(f"{images}/requirements-{image}.lock").items()
        if not versions <= tested.get(name, set())
    )
