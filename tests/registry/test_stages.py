"""A version's stage follows from MLflow's aliases first, and from its own tag where no alias speaks."""

import pytest

from siklus.registry.stages import stage_of


@pytest.mark.parametrize(
    ("tag", "aliases", "stage"),
    [
        (None, {}, None),
        ("none", {}, None),
        ("production", {"champion": 1}, "production"),
        ("staging", {"challenger": 1}, "staging"),
        ("archived", {}, "archived"),
        # Someone moved the alias in MLflow's own pages; the tags stayed behind.
        ("none", {"champion": 1}, "production"),
        ("archived", {"challenger": 1}, "staging"),
        ("production", {"champion": 2}, "archived"),
        ("staging", {"challenger": 2}, None),
        # Both at once: what answers traffic is what matters.
        ("staging", {"champion": 1, "challenger": 1}, "production"),
        ("none", {"best": 1}, None),
    ],
)
def test_the_alias_decides(tag: str | None, aliases: dict[str, int], stage: str | None) -> None:
    assert stage_of(1, tag=tag, aliases=aliases) == stage
