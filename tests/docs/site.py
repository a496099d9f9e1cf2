"""The built site as a browser meets it: its pages, what they point to and what they load."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
NOT_LOADED = {"canonical", "next", "prev", "alternate"}  # what a <link> only names


@dataclass
class Seen(HTMLParser):
    """One page: its anchors, where its links go, and what it loads when it is opened."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in LOADS and LOADS[tag] in given and given.get("rel") not in NOT_LOADED:
            self.loads.append(given[LOADS[tag]])


def seen(page: Path) -> Seen:
    found = Seen()
    found.feed(page.read_text(encoding="utf-8"))
    return found


def elsewhere(address: str) -> bool:
    """Whether it lies outside the site."""
    return bool(urlsplit(address).scheme or urlsplit(address).netloc)


def dead(page: Path, address: str, pages: dict[Path, Seen]) -> bool:
    """Whether a link of that page leads to no file of the site, or to no place on the page that it names."""
    path, place = urldefrag(address)
    target = (page.parent / unquote(path)).resolve() if path else page
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return True
    return bool(place) and target in pages and unquote(place) not in pages[target].ids
