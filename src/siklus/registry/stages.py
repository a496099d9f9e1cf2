"""Stages as MLflow knows them: an alias for the two that answer traffic, a tag for the one that did."""

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

Stage: TypeAlias = Literal["staging", "production", "archived"]

STAGES: tuple[Stage, ...] = get_args(Stage)
ALIASES: Mapping[Stage | None, str] = {"production": "champion", "staging": "challenger"}
STAGE_TAG = "siklus.stage"
NO_STAGE = "none"  # the tag's word for a version that holds no stage


def stage_of(number: int, *, tag: str | None, aliases: Mapping[str, int]) -> Stage | None:
    """The stage of a version. ``aliases``: alias → version number, of the whole registered model.

    An alias is what decides: MLflow moves it in one step, and people move it by hand in MLflow's pages,
    where the tags stay behind. So a version tagged production without the alias has been replaced.

    >>> stage_of(2, tag="staging", aliases={"champion": 2})
    'production'
    >>> stage_of(1, tag="production", aliases={"champion": 2})
    'archived'
    """
    for stage, alias in ALIASES.items():
        if aliases.get(alias) == number:
            return stage
    return "archived" if tag in ("archived", "production") else None
