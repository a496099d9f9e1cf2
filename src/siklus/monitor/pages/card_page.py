"""The page of a model card: the same look as the other pages, and its pictures inside of it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from siklus.monitor.pages.html import rendered_with_pictures


@dataclass(frozen=True)
class Body:
    """HTML that whoever made it answers for: a template takes it as it is."""

    text: str

    def __html__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True)
class CardPage:
    """``pictures``: PNG files by their names."""

    name: str
    version: str
    digest: str
    body: Body
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def card_page(card: CardPage, *, made: datetime, by: str) -> str:
    """One file that loads nothing. ``by``: the version of Siklus."""
    return rendered_with_pictures(
        "card.html.j2",
        name=card.name,
        version=card.version,
        digest=card.digest,
        body=card.body,
        pictures=[(name, _inside(raw)) for name, raw in card.pictures.items()],
        made=made,
        by=by,
    )


def _inside(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"
