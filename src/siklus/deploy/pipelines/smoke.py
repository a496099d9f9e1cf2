"""A first look at a service that was just deployed: does it answer, and are its answers those of the bundle?

Nothing here raises for what a service does: it is waited for until the time is up, and then the last thing
that was wrong is the answer. A service that has not yet taken a new version over is no failure before that.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from siklus.asking import Answered, ask
from siklus.bundle.papers import Golden
from siklus.bundle.read import Bundle
from siklus.contract.columns import Contract, label_text

PAUSE_SECONDS = 0.5  # between two attempts
KEY_REFUSED = (401, 403)


@dataclass(frozen=True, kw_only=True)
class Service:
    """``url``: without a slash at its end. ``key``: of its API, where it asks for one. ``seconds``: for one
    answer."""

    url: str
    key: str | None = field(default=None, repr=False)
    seconds: float = 10.0

    def answer(self, path: str, body: object | None = None) -> Answered:
        """To GET, or to POST of ``body`` as JSON."""
        headers = {"User-Agent": "siklus smoke", "Accept": "application/json"}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        if body is None:
            return ask(self.url + path, seconds=self.seconds, headers=headers)
        headers["Content-Type"] = "application/json"
        content = msgspec.json.encode(body)
        return ask(self.url + path, seconds=self.seconds, headers=headers, body=content)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Rows of a bundle, and what must come out for them."""

    golden: Golden
    contract: Contract


class Smoked(Struct, frozen=True, kw_only=True):
    """What was found. ``rows``: whose answers were compared; ``farthest``: the largest difference between an
    answered number (a probability, or the value) and the sealed one. ``why``: not passed; empty if it was."""

    url: str
    passed: bool
    why: str = ""
    version: str | None = None
    rows: int = 0
    farthest: float | None = None
    seconds: float = 0.0


class _Health(Struct, frozen=True):
    version: str | None = None


class _Batch(Struct, frozen=True):
    predictions: list[Any]
    version: str
    class_probabilities: list[dict[str, float]] | None = None


class _NotYet(Exception):
    """Why the service does not pass as it is now. ``final``: waiting changes nothing."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


def sample_of(bundle: Bundle) -> Sample:
    golden = msgspec.convert(bundle.document("golden.json"), Golden)
    return Sample(golden=golden, contract=bundle.contract)


def smoke(
    service: Service,
    sample: Sample | None,
    *,
    expect: str | None,
    timeout: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Smoked:
    """Look until the service passes or ``timeout`` seconds are over.

    ``sample``: rows to ask about; without one only readiness counts. ``expect``: the version that must
    answer.
    """
    begun = clock()
    while True:
        try:
            found = _look(service, sample, expect=expect)
        except _NotYet as exc:
            spent = clock() - begun
            if exc.final or spent + PAUSE_SECONDS > timeout:
                return Smoked(url=service.url, passed=False, why=str(exc), seconds=round(spent, 3))
            sleep(PAUSE_SECONDS)
        else:
            return msgspec.structs.replace(found, seconds=round(clock() - begun, 3))


def _look(service: Service, sample: Sample | None, *, expect: str | None) -> Smoked:
    _good(service.answer("/ready"), "/ready")
    if sample is None or not sample.golden.instances:
        health = _read(_good(service.answer("/health"), "/health"), _Health, "/health")
        _expected(health.version, expect)
        return Smoked(url=service.url, passed=True, version=health.version)
    path = "/predict/batch?probabilities=all"
    answered = _good(service.answer(path, {"instances": sample.golden.instances}), path)
    batch = _read(answered, _Batch, path)
    _expected(batch.version, expect)
    return Smoked(
        url=service.url,
        passed=True,
        version=batch.version,
        rows=len(sample.golden.instances),
        farthest=_compared(batch, sample),
    )


def _good(answered: Answered, path: str) -> Answered:
    if answered.status != 200:
        refused = answered.status in KEY_REFUSED
        hint = " (a key goes along by --key-file or SIKLUS_API_KEY)" if refused else ""
        raise _NotYet(f"{path}: {answered.said()}{hint}", final=refused)
    return answered


def _read(answered: Answered, kind: type[Any], path: str) -> Any:
    try:
        return msgspec.json.decode(answered.body, type=kind)
    except msgspec.MsgspecError as exc:
        raise _NotYet(f"{path}: is that a server of Siklus? {exc}") from exc


def _expected(version: str | None, expect: str | None) -> None:
    if expect is not None and version != expect:
        raise _NotYet(f"version {version} answers, and not {expect}")


def _compared(batch: _Batch, sample: Sample) -> float:
    """The largest difference, where all are near enough."""
    sealed = np.asarray(sample.golden.outputs, dtype=np.float64)
    found = _numbers(batch, sample.contract)
    if found.shape != sealed.shape:
        raise _NotYet(f"version {batch.version}: {found.shape} numbers came for {sealed.shape}")
    near = sample.golden.tolerance
    apart = ~np.isclose(found, sealed, rtol=near, atol=near)
    if apart.any():
        row, place = np.argwhere(apart)[0].tolist()
        told = (
            f"golden row {row} came out as {found[row, place]:.6g} and was sealed as {sealed[row, place]:.6g}"
        )
        raise _NotYet(f"version {batch.version}: {told}")
    return float(np.abs(found - sealed).max())


def _numbers(batch: _Batch, contract: Contract) -> np.ndarray:
    """As the golden outputs have them: probabilities of shape (rows, classes), or values, (rows, 1)."""
    classes: Sequence[Any] | None = contract.target.classes
    try:
        if classes is None:
            return np.asarray(batch.predictions, dtype=np.float64).reshape(-1, 1)
        names = [label_text(label) for label in classes]
        rows = [[row[name] for name in names] for row in batch.class_probabilities or ()]
        return np.asarray(rows, dtype=np.float64).reshape(len(rows), len(names))
    except (KeyError, TypeError, ValueError) as exc:
        raise _NotYet(f"version {batch.version} answers with other classes than the bundle's") from exc
