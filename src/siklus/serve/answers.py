"""Answers: the shape of everything that the server says in JSON. /openapi.json is generated from these."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

JSON = "application/json"

State: TypeAlias = Literal["loading", "healthy", "failed"]
Predicted: TypeAlias = str | int | float | bool
Milliseconds: TypeAlias = Annotated[
    float, Meta(description="Milliseconds from the body's arrival to the answer.")
]
Version: TypeAlias = Annotated[str, Meta(description="The version of the model that answered.")]


class PredictAnswer(Struct, frozen=True, kw_only=True):
    prediction: Annotated[Predicted, Meta(description="The class as the data has it, or the number.")]
    probability: Annotated[
        float | None, Meta(description="That of the predicted class; null for a regression.")
    ]
    latency_ms: Milliseconds
    prediction_id: Annotated[str, Meta(description="Names this prediction for ever; ids sort by time.")]
    version: Version
    class_probabilities: Annotated[
        dict[str, float] | UnsetType | None,
        Meta(description="With ?probabilities=all: of every class; null for a regression."),
    ] = UNSET


class BatchAnswer(Struct, frozen=True, kw_only=True):
    predictions: Annotated[list[Predicted], Meta(description="One a row, in the rows' order.")]
    probabilities: Annotated[
        list[float] | None, Meta(description="Those of the predicted classes; null for a regression.")
    ]
    latency_ms: Milliseconds
    count: Annotated[int, Meta(description="How many rows were scored.")]
    prediction_ids: Annotated[list[str], Meta(description="One a row.")]
    version: Version
    class_probabilities: Annotated[
        list[dict[str, float]] | UnsetType | None,
        Meta(description="With ?probabilities=all: of every class, a row each; null for a regression."),
    ] = UNSET


class FeedbackAnswer(Struct, frozen=True, kw_only=True):
    count: Annotated[int, Meta(description="How many outcomes the request held; all are stored.")]
    new: Annotated[int, Meta(description="How many of them were not known before.")]


class FeedbackElsewhere(Struct, frozen=True, kw_only=True):
    location: Annotated[str, Meta(description="Where outcomes are taken: as in the header `Location`.")]
    reason: str


class HealthyArm(Struct, frozen=True, kw_only=True):
    """One arm of the traffic policy; a shadow's share is 0."""

    name: str
    version: Version
    share: float


class PendingRevision(Struct, frozen=True, kw_only=True):
    """A traffic policy that is published and does not answer yet."""

    revision: Annotated[int | None, Meta(description="Null where even that could not be read.")]
    code: Annotated[str | None, Meta(description="Why it cannot answer; null while it is loaded.")]


class Health(Struct, frozen=True, kw_only=True):
    """Version, name and task are the champion's, and null until a model is loaded.

    The others are there where the server follows a traffic policy.
    """

    status: State
    model_loaded: bool
    version: str | None = None
    name: str | None = None
    task: str | None = None
    revision: Annotated[int | UnsetType, Meta(description="That of the policy that answers.")] = UNSET
    arms: list[HealthyArm] | UnsetType = UNSET
    pending: Annotated[
        PendingRevision | UnsetType, Meta(description="What is published and does not answer yet.")
    ] = UNSET


class Liveness(Struct, frozen=True, kw_only=True):
    status: Literal["alive", "ready"]


class Problem(Struct, frozen=True, kw_only=True):
    """One cell, or one row, that does not keep the contract."""

    row: Annotated[int | None, Meta(description="Counts from 0.")]
    column: str | None
    code: Annotated[str, Meta(description="Stable, and explained in docs/problems.md.")]
    message: str
    expected: Annotated[str, Meta(description="What would be right.")]


class Refusal(Struct, frozen=True, kw_only=True):
    code: Annotated[str, Meta(description="Stable, and explained in docs/problems.md.")]
    message: str
    expected: Annotated[str | None, Meta(description="What would be right.")]
    problems: Annotated[
        list[Problem], Meta(description="The first ones, where rows are at fault; else none.")
    ]
    total: Annotated[int, Meta(description="How many problems there are in all.")]


class ErrorAnswer(Struct, frozen=True):
    error: Refusal


class TextErrorAnswer(Struct, frozen=True, kw_only=True):
    """What protocols are answered whose clients take the error for a text; beside it stands the rest."""

    error: Annotated[str, Meta(description="Code, message, and what would be right.")]
    code: Annotated[str, Meta(description="Stable, and explained in docs/problems.md.")]
    problems: list[Problem]
    total: int
