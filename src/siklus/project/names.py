"""Names that people give in a project file. They are used in paths, in URLs and as metric labels."""

from typing import Annotated, TypeAlias

from msgspec import Meta

# Held to what is safe in all three.
SafeName: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$",
        extra_json_schema={"description": "at most 63 lower-case letters, digits, - and _"},
    ),
]
