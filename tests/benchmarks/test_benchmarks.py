"""The benchmarks: the harness works, whatever the figures are."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from benchmarks.serving.contenders import PEER_DIALECTS, PEERS, mark_installed, peer_contenders
from benchmarks.serving.failures import BenchmarkError
from benchmarks.serving.figures import Figure, Standing, medians, ratios
from benchmarks.serving.page import markdown
from benchmarks.serving.report import Report, this_machine

ROOT = Path(__file__).parents[2]
TINY = ("--rounds", "1", "--starts", "1", "--seconds", "0.3")
PROMISED = ("throughput_c16_vs_baseline", "throughput_c16_vs_constant", "p99_c16_vs_baseline")


def bench(*options: str, cache: Path, module: str = "serving") -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    return subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", "--cache", str(cache), *options],
        env={**os.environ, "PYTHONPATH": paths},
        cwd=cache,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("benchmarks")


def quick(load: str, cache: Path) -> dict[str, Any]:
    done = bench("--quick", "--json", *TINY, "--load", load, cache=cache)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_a_quick_run_gives_the_promised_ratios_without_wrk(cache: Path) -> None:
    found = quick("own", cache)["ratios"]
    assert set(PROMISED) <= found.keys()
    assert all(found[name] > 0 for name in PROMISED)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("wrk") is None, reason="needs wrk")
def test_a_quick_run_gives_the_promised_ratios_with_wrk(cache: Path) -> None:
    report = quick("wrk", cache)
    assert set(PROMISED) <= report["ratios"].keys()
    assert {figure["setting"] for figure in report["figures"]} == {"c16"}
    assert {standing["contender"] for standing in report["standings"]} == {"siklus", "baseline", "constant"}


@pytest.mark.slow
def test_a_whole_run_asks_in_every_way_and_says_what_it_left_out(cache: Path) -> None:
    output = cache / "result.json"
    done = bench(*TINY, "--load", "own", "--sessions", "own", "--output", str(output), cache=cache)
    assert done.returncode == 0, done.stderr
    report = json.loads(output.read_text())
    settings = {figure["setting"] for figure in report["figures"]}
    assert {"c1", "c16", "c64", "c16_named", "httpx", "batch_json"} <= settings
    assert "throughput_c16_vs_fastapi_onnx" in report["ratios"]
    for peer in PEER_DIALECTS:
        assert any(line.startswith(f"{peer}: not installed") for line in report["left_out"])
    assert "Siklus ÷ the other" in done.stdout


def test_each_way_of_decoding_is_measured_a_row(cache: Path) -> None:
    done = bench("--json", "--seconds", "0.001", cache=cache, module="decode")
    assert done.returncode == 0, done.stderr
    costs = json.loads(done.stdout)["row_us"]
    assert {"hot path, one list", "app, one list", "batch of 10,000 lists"} <= costs.keys()
    assert all(cost > 0 for cost in costs.values())


def test_a_server_that_cannot_start_ends_the_run_with_the_reason(tmp_path: Path) -> None:
    python = tmp_path / "peers" / "litserve" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho no such library >&2\nexit 3\n")
    python.chmod(0o755)
    mark_installed("litserve", tmp_path)
    done = bench("--sessions", "litserve", *TINY, "--load", "own", cache=tmp_path)
    assert done.returncode == 1
    assert "litserve ended with 3:\nno such library" in done.stderr
    assert done.stdout == ""


def test_a_peer_that_is_not_installed_is_said(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"bentoml is not installed: .* --install bentoml"):
        peer_contenders("bentoml", tmp_path)


@pytest.mark.parametrize("peer", PEER_DIALECTS)
def test_every_peer_has_an_installation_and_a_server(peer: str) -> None:
    assert (PEERS / peer / "install.sh").is_file()
    assert (PEERS / peer / "server.py").is_file()


def figure(contender: str, per_second: float, p99_ms: float) -> Figure:
    return Figure(
        session="own",
        contender=contender,
        setting="c16",
        per_second=per_second,
        p50_ms=1,
        p99_ms=p99_ms,
        cpu_us=10,
    )


def test_ratios_are_ours_over_theirs_of_medians() -> None:
    rounds = [
        *(figure("siklus", rate, 2) for rate in (100, 300, 900)),
        *(figure("fastapi-onnx", rate, 8) for rate in (50, 150, 100)),
    ]
    standings = [
        Standing(session="own", contender="siklus", startup_s=0.5, memory_mb=50),
        Standing(session="own", contender="fastapi-onnx", startup_s=2, memory_mb=100),
    ]
    found = ratios(medians(rounds), standings)
    assert found["throughput_c16_vs_fastapi_onnx"] == 3  # 300 / 100
    assert found["p99_c16_vs_fastapi_onnx"] == 0.25
    assert found["memory_vs_fastapi_onnx"] == 0.5
    assert found["startup_vs_fastapi_onnx"] == 0.25
    assert not any(name.endswith("_vs_siklus") for name in found)


def test_the_first_page_s_table_says_multiples_and_fractions() -> None:
    figures = [figure("siklus", 36_000, 0.5), figure("baseline", 60, 300)]
    standings = [
        Standing(session="own", contender="siklus", startup_s=0.5, memory_mb=50),
        Standing(session="own", contender="baseline", startup_s=1, memory_mb=500),
    ]
    report = Report(
        ratios=ratios(figures, standings),
        taken=datetime(2026, 1, 2, tzinfo=UTC),
        machine=this_machine(),
        load="wrk",
        rounds=1,
        seconds=1,
        figures=figures,
        standings=standings,
        left_out=[],
    )
    lines = markdown(report).splitlines()
    assert lines[2] == "| the tutorial's app (FastAPI, joblib) | 600 × | 1/600 | 1 × | 1/10 | 0.5 × |"
    assert lines[-1].startswith("2026-01-02, ")
