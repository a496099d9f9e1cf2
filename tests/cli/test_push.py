"""push: versions as they are here, there; each once, and nothing half."""

import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from siklus.bundle.read import open_bundle
from siklus.project.file import open_project
from siklus.project.paths import Paths
from siklus.registry.stages import Stage
from siklus.registry.versions import Registry
from siklus.tracking.mlflow import open_tracking
from tests.bundle.signers import signer
from tests.cli.projects import SIKLUS, answered, siklus
from tests.registry.postgres import running_postgres
from tests.tracking.servers import running_mlflow


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.fixture
def project(own: Path) -> Path:
    """Versions 1 (production) and 2 (staging); 1 answers 75 %, 2 the rest."""
    answered("annotate", "1", "the first one", "-C", own)
    answered("traffic", "set", "--champion", "1", "--challenger", "2=0.25", "-C", own)
    return own


@pytest.fixture(scope="session")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without anything in it: to make one takes seconds."""
    folder = tmp_path_factory.mktemp("nothing")
    paths = Paths(root=folder, state=folder, contract=folder / "contract.json")
    open_tracking(None, paths=paths)
    return paths.tracking_database


@pytest.fixture
def uri(nothing: Path, tmp_path: Path) -> str:
    """Another registry, which is empty."""
    return f"sqlite:///{shutil.copy2(nothing, tmp_path / 'other.db')}"


def registry(project: Path, uri: str) -> Registry:
    return Registry(open_tracking(uri, paths=open_project(project, environment={}).paths))


def stages(found: Registry) -> dict[int, Stage | None]:
    return {version.number: version.stage for version in found.versions("line")}


def bundle_of(project: Path, number: int) -> Path:
    [digest] = [each["digest"] for each in answered("models", "-C", project) if each["number"] == number]
    return project / ".siklus" / "bundles" / str(digest)


def test_versions_stages_and_traffic_are_there_as_here_and_twice_changes_nothing(
    project: Path, uri: str, database: str
) -> None:
    first = answered("push", "--tracking-uri", uri, "--control", database, "-C", project)
    assert [(each["here"], each["there"], each["stage"], each["is_new"]) for each in first["versions"]] == [
        (1, 1, "production", True),
        (2, 2, "staging", True),
    ]
    ours = {version.number: version for version in registry(project, store_of(project)).versions("line")}
    theirs = {version.number: version for version in registry(project, uri).versions("line")}
    for number, version in ours.items():
        found = theirs[number]
        assert (found.digest, found.metrics, found.annotations, found.stage, found.data_digest) == (
            version.digest,
            version.metrics,
            version.annotations,
            version.stage,
            version.data_digest,
        )
    arms = first["traffic"]["allotment"]["arms"]
    assert [(arm["version"], arm["share"]) for arm in arms] == [(1, 0.75), (2, 0.25)]
    second = answered("push", "--tracking-uri", uri, "--control", database, "-C", project)
    assert [each["is_new"] for each in second["versions"]] == [False, False]
    assert second["traffic"] == first["traffic"]
    there = {"STATE__TRACKING_URI": uri, "STATE__CONTROL": database}
    kinds = [entry["kind"] for entry in answered("history", "-C", project, **there)]
    assert sorted(kinds) == ["push", "traffic"]
    assert sorted(bundle_names(project)) == sorted(version.digest for version in theirs.values())
    assert answered("predict", project / "rows.csv", "-C", project, "--version", "1", **there)


def test_what_is_signed_later_is_signed_there_by_the_next_push(
    project: Path, uri: str, tmp_path: Path
) -> None:
    answered("push", "--tracking-uri", uri, "-C", project)
    anna, budi = signer(tmp_path, "anna"), signer(tmp_path, "budi")
    answered("sign", "1", "--key", anna.private, "-C", project)
    there = registry(project, uri)
    [first] = [version for version in there.versions("line") if version.number == 1]
    there.attach_signatures(first, budi.sign(there.fetch(first, tmp_path / "elsewhere")))
    told = answered("push", "--tracking-uri", uri, "-C", project)
    assert [(each["is_new"], each["signed"]) for each in told["versions"]] == [(False, True), (False, False)]
    [first] = [version for version in there.versions("line") if version.number == 1]
    assert set(first.signers) == {anna.known.id, budi.known.id}
    fetched = there.fetch(first, tmp_path / "fresh")
    assert open_bundle(fetched, trusted=anna.trusted)
    assert open_bundle(fetched, trusted=budi.trusted)
    again = answered("push", "--tracking-uri", uri, "-C", project)
    assert [each["signed"] for each in again["versions"]] == [False, False]


def test_nothing_is_decided_there_that_servers_would_refuse(project: Path, uri: str, tmp_path: Path) -> None:
    anna = signer(tmp_path, "anna")
    database = f"sqlite:///{tmp_path}/control-there.db"
    trusting = {"SERVE__TRUSTED_KEYS": json.dumps([str(anna.public)])}
    there: list[str | Path] = ["--tracking-uri", uri, "--control", database, "-C", project]
    answered("sign", "1", "--key", anna.private, "-C", project)
    by_itself = ["push", "--bundle", bundle_of(project, 2), "--stage", "production", *there]
    for words in (["push", *there], by_itself):  # version 2 has a quarter of the traffic
        found = siklus(*words, **trusting)
        assert (found.code, found.err.startswith("siklus: BN015 ")) == (2, True), found.err
    assert registry(project, uri).names() == ()
    # Where nothing is decided, it may be signed later.
    answered("push", "--tracking-uri", uri, "-C", project, **trusting)
    answered("sign", "2", "--key", anna.private, "-C", project, STATE__TRACKING_URI=uri)
    assert answered(*by_itself, **trusting)["traffic"]["allotment"]["arms"][0]["version"] == 2


def store_of(project: Path) -> str:
    return open_project(project, environment={}).settings.state.tracking_uri or ""


def bundle_names(project: Path) -> list[str]:
    return [
        path.name for path in (project / ".siklus" / "bundles").iterdir() if not path.name.startswith(".")
    ]


def test_what_is_there_of_others_is_not_mixed_with_these_unless_asked(project: Path, uri: str) -> None:
    found = siklus(
        "push", "--bundle", bundle_of(project, 2), "--tracking-uri", uri, "--stage", "staging", "-C", project
    )
    assert found.code == 0, found.err
    # Version 2 stands there as number 1, which is no other: its bundle is among these.
    told = answered("push", "--tracking-uri", uri, "-C", project)
    assert [(each["here"], each["there"], each["is_new"]) for each in told["versions"]] == [
        (1, 2, True),
        (2, 1, False),
    ]
    assert stages(registry(project, uri)) == {1: "staging", 2: None}  # what is there keeps its stages
    answered("push", "--tracking-uri", uri, "--take", "-C", project)
    assert stages(registry(project, uri)) == {1: "staging", 2: "production"}


def test_a_registry_with_other_versions_is_refused_before_anything_is_written(
    project: Path, uri: str
) -> None:
    answered("train", "-C", project, STATE__TRACKING_URI=uri, TRAIN__SEED="7", DATA__MAX_ROWS="200")
    found = siklus("push", "--tracking-uri", uri, "-C", project)
    assert (found.code, found.err.startswith("siklus: RG019 ")) == (2, True), found.err
    assert stages(registry(project, uri)) == {1: "production"}
    told = answered("push", "--tracking-uri", uri, "--beside", "-C", project)
    assert [(each["here"], each["there"]) for each in told["versions"]] == [(1, 2), (2, 3)]
    assert stages(registry(project, uri)) == {1: "production", 2: None, 3: None}


def test_a_damaged_bundle_is_never_registered(project: Path, uri: str, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(bundle_of(project, 2), damaged)
    model = damaged / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    found = siklus("push", "--bundle", damaged, "--tracking-uri", uri, "-C", project)
    assert (found.code, found.err.startswith("siklus: BN005 ")) == (2, True), found.err
    assert registry(project, uri).names() == ()


def test_the_registry_that_they_are_in_is_no_target(project: Path) -> None:
    found = siklus("push", "--tracking-uri", store_of(project), "-C", project)
    assert (found.code, found.err.startswith("siklus: RG018 ")) == (2, True), found.err
    assert siklus("push", "-C", project).err.startswith("siklus: RG018 ")


def packed(folder: Path, *more: tarfile.TarInfo) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.add(folder, ".")
        for member in more:
            tar.addfile(member)
    return content.getvalue()


def piped(content: bytes, *words: str | Path, project: Path, uri: str) -> subprocess.CompletedProcess[bytes]:
    """`siklus push --bundle -` of a process that is sent this."""
    command = [*SIKLUS, "push", "--bundle", "-", *map(str, words), "-C", str(project), "--tracking-uri", uri]
    return subprocess.run(command, input=content, capture_output=True, timeout=120, check=False)


def test_a_bundle_on_stdin_becomes_a_version_with_its_stage(project: Path, uri: str) -> None:
    bundle = bundle_of(project, 2)
    done = piped(packed(bundle), "--stage", "production", "--json", project=project, uri=uri)
    assert done.returncode == 0, done.stderr.decode()
    [version] = registry(project, uri).versions("line")
    assert (version.digest, version.stage) == (bundle.name, "production")
    assert version.metrics


def evil(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


@pytest.mark.parametrize(
    "member",
    [
        evil("../escaped"),
        evil("/tmp/escaped"),
        evil("link", tarfile.SYMTYPE, "/etc/passwd"),
        evil("hard", tarfile.LNKTYPE, "manifest.json"),
        evil("pipe", tarfile.FIFOTYPE),
        evil("card.md"),
        evil("card.md/below"),
        None,
    ],
    ids=["up", "absolute", "symlink", "hard link", "pipe", "twice", "below a file", "torn"],
)
def test_a_hostile_or_torn_tar_registers_nothing(
    member: tarfile.TarInfo | None, project: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = bundle_of(project, 2)
    content = packed(bundle) if member is None else packed(bundle, member)
    stream = io.TextIOWrapper(io.BytesIO(content[:20_000] if member is None else content))
    monkeypatch.setattr(sys, "stdin", stream)
    found = siklus("push", "--bundle", "-", "-C", project, "--tracking-uri", uri)
    assert (found.code, found.err.startswith("siklus: RG021 ")) == (2, True), found.err
    assert registry(project, uri).names() == ()
    assert not list((project / ".siklus" / "bundles").glob(".arriving*"))
    assert not (project / ".siklus" / "bundles" / "escaped").exists()


def test_another_projects_bundle_is_refused(project: Path) -> None:
    found = siklus("push", "--bundle", bundle_of(project, 2), "-C", project, PROJECT__NAME="other")
    assert (found.code, found.err.startswith("siklus: RG022 ")) == (2, True), found.err


def test_a_bundle_into_the_own_stores_goes_live_with_production(project: Path) -> None:
    told: Any = answered("push", "--bundle", bundle_of(project, 2), "--stage", "production", "-C", project)
    assert (told["versions"][0]["there"], told["versions"][0]["is_new"]) == (2, False)
    assert stages(registry(project, store_of(project))) == {1: "archived", 2: "production"}
    assert [arm["version"] for arm in told["traffic"]["allotment"]["arms"]] == [2]
    assert answered("history", "-n", "1", "-C", project)[0]["kind"] == "promotion"


@pytest.mark.slow
def test_a_real_mlflow_server_keeps_them_in_postgresql_and_s3(
    project: Path, database: str, tmp_path: Path
) -> None:
    with running_mlflow(database, tmp_path) as uri:
        first = answered("push", "--tracking-uri", uri, "--control", database, "-C", project)
        assert [each["is_new"] for each in first["versions"]] == [True, True]
        assert first["remarks"] == []  # a server keeps artifacts itself
        second = answered("push", "--tracking-uri", uri, "--control", database, "-C", project)
        assert [each["is_new"] for each in second["versions"]] == [False, False]
        fresh = tmp_path / "fresh"
        for version in registry(project, uri).versions("line"):
            assert registry(project, uri).fetch(version, fresh).name == version.digest
