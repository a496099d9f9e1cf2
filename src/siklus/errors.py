"""Every error that Siklus raises on purpose.

    SiklusError            code    when                                              HTTP
    ├── ProjectError       PJ      the project file or a setting is wrong              500
    ├── DataError          DA      a source cannot be read, or its rows cannot be used 500
    ├── ContractError      CT      a contract file is wrong, or is broken by the data  500
    ├── RowsRefused        RW      rows that do not keep the contract                  422
    ├── TrainError         TN      a training cannot go on                             500
    ├── ExportError        EX      a model cannot be written in the asked format       500
    ├── BundleError        BN      a bundle is damaged, foreign or cannot be sealed    503
    ├── RecordsError       RC      the prediction log or the outcomes fail             503
    ├── TrackingError      TK      MLflow cannot be reached or refuses                 503
    ├── RegistryError      RG      no such version or stage                            503
    ├── RequestError       RQ      an HTTP request that is no prediction request       400
    ├── ServeError         SV      the server cannot start or has no model             503
    ├── MonitorError       MO      traffic cannot be judged with what was given        500
    ├── AlertError         AL      an alert rule is wrong, or nobody can be told       500
    ├── AutomationError    AU      a retraining, a rollout or an experiment cannot be  500
    ├── DrillError         DR      a drill cannot be held                              500
    ├── DeployError        DP      files for another tool cannot be made or written    500
    ├── PapersError        PA      a release's papers cannot be made or do not hold    500
    ├── AssessError        AS      where a project stands cannot be told               500
    ├── FileError          FS      the disk is full, or a file cannot be written       500
    └── MissingExtra       XT      an optional package is not installed                500

A code is stable: it is never reused for another meaning, and each one has a section in
docs/problems.md (a test holds the two together). A message says what, where and the value;
``expected`` says what would be right. A command ends with exit code 2 on these, but with 1 where the
error is the answer "no": rows that break the contract (and, as a result, a gate that fails).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class SiklusError(Exception):
    """An error that a user can act on: never shown with a traceback."""

    prefix: ClassVar[str] = ""
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 2

    def __init__(self, code: str, message: str, *, expected: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.expected = expected

    def __str__(self) -> str:
        wanted = f" (expected {self.expected})" if self.expected else ""
        return f"{self.code} {self.message}{wanted}"

    def __reduce__(self) -> tuple[object, ...]:
        # Exception would rebuild from `args`, which misses the code: searches raise across processes.
        return (_rebuild, (type(self), self.__dict__))


class ProjectError(SiklusError):
    prefix = "PJ"


class DataError(SiklusError):
    prefix = "DA"


class ContractError(SiklusError):
    prefix = "CT"


@dataclass(frozen=True, kw_only=True)
class RowProblem:
    """One cell, or one row, that does not keep the contract. ``row`` counts from 0."""

    code: str
    row: int | None
    column: str | None
    message: str
    expected: str


class RowsRefused(SiklusError):
    """Rows that do not keep the contract: nothing of the request or table was used.

    ``problems`` holds the first ones found, ``total`` counts all.
    """

    prefix = "RW"
    http_status = 422
    exit_code = 1

    def __init__(self, problems: Sequence[RowProblem], *, total: int) -> None:
        first = problems[0]
        place = [] if first.row is None else [f"row {first.row}"]
        place += [] if first.column is None else [f"column {first.column!r}"]
        more = f" (and {total - 1} more)" if total > 1 else ""
        super().__init__(first.code, f"{', '.join(place)}: {first.message}{more}", expected=first.expected)
        self.problems = tuple(problems)
        self.total = total


class TrainError(SiklusError):
    prefix = "TN"


class ExportError(SiklusError):
    prefix = "EX"


class BundleError(SiklusError):
    prefix = "BN"
    http_status = 503


class RecordsError(SiklusError):
    prefix = "RC"
    http_status = 503


class TrackingError(SiklusError):
    prefix = "TK"
    http_status = 503


class RegistryError(SiklusError):
    prefix = "RG"
    http_status = 503


class RequestError(SiklusError):
    prefix = "RQ"
    http_status = 400


class ServeError(SiklusError):
    prefix = "SV"
    http_status = 503


class MonitorError(SiklusError):
    prefix = "MO"


class AlertError(SiklusError):
    prefix = "AL"


class AutomationError(SiklusError):
    prefix = "AU"


class DrillError(SiklusError):
    prefix = "DR"


class DeployError(SiklusError):
    prefix = "DP"


class PapersError(SiklusError):
    prefix = "PA"


class AssessError(SiklusError):
    prefix = "AS"


class FileError(SiklusError):
    prefix = "FS"


class MissingExtra(SiklusError):
    prefix = "XT"


def _rebuild(kind: type[SiklusError], state: dict[str, object]) -> SiklusError:
    error = kind.__new__(kind)
    error.__dict__.update(state)
    error.args = (state["message"],)
    return error
