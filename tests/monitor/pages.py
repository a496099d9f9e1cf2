"""What holds for every page: one file, nothing from elsewhere, nothing that runs; and a browser."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.registry.postgres import REQUIRE

HOSTILE = '<script>alert("x")</script>'
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
VOID = {"meta", "br", "hr", "img", "link", "input"}
LOADING = {"src", "srcset", "data", "action", "formaction", "poster", "background", "ping"}


@dataclass
class Seen(HTMLParser):
    """A page's elements: tags, ids, what attributes point to, text, and whether tags close in order."""

    tags: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    handlers: list[str] = field(default_factory=list)
    styles: int = 0
    text: str = ""
    policy: str = ""
    headings: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.loaded += [f"{tag} {name}={value}" for name, value in attrs if name in LOADING]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.styles += "style" in given
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""
        if tag in {"a", "use"}:
            self.links.append(given.get("href") or "")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)
        if tag == "svg" and not given.get("aria-label"):
            self.unnamed.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def parsed(page: str) -> Seen:
    seen = Seen()
    seen.feed(page)
    assert seen.open == [], "a tag is left open"
    return seen


def check_page(page: str) -> Seen:
    """One file that loads and runs nothing, whose parts have names."""
    seen = parsed(page)
    assert "script" not in seen.tags
    assert seen.loaded == []
    assert seen.handlers == []
    assert seen.styles == 0, "its own policy would ignore a style attribute"
    assert not re.search(r"url\(|@import|javascript:", page)
    assert seen.policy.startswith("default-src 'none'; style-src 'sha256-")
    assert all(link.startswith("#") and link[1:] in seen.ids for link in seen.links)
    assert len(seen.ids) == len(set(seen.ids)), "an id stands twice"
    assert seen.headings[0] == "h1"
    assert seen.headings.count("h1") == 1
    assert seen.unnamed == []
    assert seen.tags.count("table") == seen.tags.count("caption")
    return seen


@contextmanager
def browsing() -> Iterator[Browser]:
    """The system's Chromium. Skips where it is not installed."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        reason = "Chromium is not installed (Debian: apt-get install chromium)"
        (pytest.fail if os.environ.get(REQUIRE) == "1" else pytest.skip)(reason)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(QUIET))
        yield browser
        browser.close()


def looked_at(browser: Browser, file: Path, *, size: dict[str, int], scheme: str) -> tuple[Page, list[str]]:
    """The page in a tab of that size, and what went wrong: console messages, requests for anything else."""
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page, wrong = context.new_page(), list[str]()
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.on("request", lambda request: wrong.append(request.url) if request.url != file.as_uri() else None)
    page.goto(file.as_uri())
    return page, wrong
