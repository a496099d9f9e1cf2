"""Page: the result as a table in Markdown, short enough for a first page."""

from collections.abc import Iterator

from benchmarks.serving.contenders import SIKLUS
from benchmarks.serving.report import Report

SETTING = "c16"
COLUMNS = ("beside", "answers a second", "p99", "CPU a request", "memory", "start")
NAMES = {
    "baseline": "the tutorial's app (FastAPI, joblib)",
    "constant": "the same server answering a constant",
    "wire": "the event loop alone",
    "bare": "the same server, nothing watched",
    "watch": "the same server, with its watch beside it",
    "fastapi-onnx": "FastAPI, pydantic, ONNX Runtime",
    "bentoml": "BentoML, ONNX",
    "litserve": "LitServe, ONNX",
    "mlflow": "MLflow, ONNX",
    "mlserver": "MLServer, ONNX",
    "rayserve": "Ray Serve, ONNX",
}


def markdown(report: Report) -> str:
    """Ours ÷ the other's at 16 connections: throughput as a multiple, all else as a fraction."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"| {' | '.join(COLUMNS)} |"
    yield "| --- |" + " ---: |" * (len(COLUMNS) - 1)
    for standing in report.standings:
        if standing.contender == SIKLUS:
            continue
        key = standing.contender.replace("-", "_")
        rate = report.ratios[f"throughput_{SETTING}_vs_{key}"]
        names = [f"p99_{SETTING}", f"cpu_{SETTING}", "memory", "startup"]
        cells = [_multiple(rate), *(_fraction(report.ratios[f"{name}_vs_{key}"]) for name in names)]
        yield f"| {NAMES.get(standing.contender, standing.contender)} | {' | '.join(cells)} |"
    machine = report.machine
    yield ""
    yield (
        f"{report.taken:%Y-%m-%d}, {machine.cores} cores of {machine.processor}, Python {machine.python}, "
        f"load by {report.load} on the same cores."
    )


def _multiple(ratio: float) -> str:
    return f"{ratio:.0f} ×" if ratio >= 10 else f"{ratio:.2g} ×"


def _fraction(ratio: float) -> str:
    return f"1/{1 / ratio:.0f}" if 0 < ratio < 0.2 else f"{ratio:.2g} ×"
