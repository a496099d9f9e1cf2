"""What a scale is: criteria in sections, each with the signs that would meet it."""

from collections import Counter
from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

RubricName: TypeAlias = Literal["google", "microsoft", "ml-test-score"]


class Criterion(Struct, frozen=True, kw_only=True):
    """``key``: as in the source, or by ours; ``title``: a few words; ``asks``: the whole of it, in our own.

    ``needs``: each must be met, by whichever of its signs or questions (`ask:NAME`) is worth most.
    """

    key: str
    section: str
    title: str
    asks: str
    needs: tuple[tuple[str, ...], ...]

    @property
    def signs(self) -> tuple[str, ...]:
        return tuple(sign for need in self.needs for sign in need)


class Level(Struct, frozen=True, kw_only=True):
    """``number``: as in the source."""

    number: int
    name: str
    means: str


class Rubric(Struct, frozen=True, kw_only=True):
    """``levels``: of a ladder, whose criteria stand in sections `level N`; or the bands of a score."""

    name: RubricName
    title: str
    source: str
    url: str
    criteria: tuple[Criterion, ...]
    levels: tuple[Level, ...]
    sections: Mapping[str, str]

    @property
    def highest(self) -> int:
        """The value that is reached with all of it: the last level, or the points of the largest section."""
        if self.name == "ml-test-score":
            return max(Counter(criterion.section for criterion in self.criteria).values())
        return self.levels[-1].number
