"""The documentation site builds without a warning, has no dead link, and loads nothing from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import ViewportSize

from siklus.cli.main import COMMANDS
from siklus.palette import ACCENT, INK, SECOND
from tests.docs.site import Seen, dead, elsewhere, seen
from tests.monitor.pages import browsing

ROOT = Path(__file__).parents[2]
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
WIDEST = ["index.html", "project-file.html", "tutorial/06-watching.html", "reference/commands.html"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` does: a page that no menu names, or a dead link, ends the build."""
    folder = tmp_path_factory.mktemp("site").resolve()
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"mkdocs build --strict:\n{done.stdout}{done.stderr}"
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Seen]:
    return {path: seen(path) for path in sorted(site.rglob("*.html"))}


def test_no_link_and_no_anchor_is_dead(pages: dict[Path, Seen]) -> None:
    broken = [
        f"{page.name} → {link}"
        for page, found in pages.items()
        if page.name != "404.html"  # it is shown at any address, so its links begin at the root
        for link in found.links
        if not elsewhere(link) and dead(page, link, pages)
    ]
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Seen]) -> None:
    foreign = [
        f"{page.name}: {what}" for page, found in pages.items() for what in found.loads if elsewhere(what)
    ]
    outside = re.compile(r"url\(['\"]?https?:|@import")
    assert foreign == []
    assert [path.name for path in site.rglob("*.css") if outside.search(path.read_text())] == []


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_browser_asks_nobody_else_and_no_page_is_too_wide(size: ViewportSize, site: Path) -> None:
    with browsing() as browser:
        tab, asked = browser.new_page(viewport=size, color_scheme="dark"), list[str]()
        tab.on("request", lambda request: asked.append(request.url))
        for name in WIDEST:
            tab.goto((site / name).as_uri())
            width = tab.evaluate("document.documentElement.scrollWidth")
            assert width <= size["width"], f"{name} is {width} wide"
    assert [url for url in asked if not url.startswith((site.as_uri(), "data:", "blob:"))] == []


def test_the_search_finds_from_a_disk(site: Path) -> None:
    with browsing() as browser:
        tab = browser.new_page(viewport=DESKTOP)
        tab.goto((site / "index.html").as_uri())
        tab.keyboard.press("/")
        tab.keyboard.type("false alarms")
        first = tab.locator(".md-search-result__article h1").first
        first.wait_for(timeout=60_000)
        assert first.inner_text()


def test_what_is_copied_of_a_transcript_can_be_pasted_into_a_terminal(site: Path) -> None:
    with browsing() as browser:
        tab = browser.new_page(viewport=DESKTOP)
        tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
        tab.goto((site / "tutorial" / "02-training.html").as_uri())
        tab.locator(".md-clipboard, .md-code__button[data-md-type=copy]").first.click()
        tab.get_by_text("Copied to clipboard").wait_for(timeout=60_000)
        copied = tab.evaluate("navigator.clipboard.readText()").splitlines()
    assert copied[0].startswith("sed -i ")
    assert copied[1:] == ["siklus train"]


def test_every_code_that_a_message_points_to_is_there(pages: dict[Path, Seen], site: Path) -> None:
    codes = re.findall(r"^### ([A-Z]{2}\d{3})", (ROOT / "docs" / "problems.md").read_text(), re.MULTILINE)
    assert len(codes) > 100
    assert {code.lower() for code in codes} <= pages[site / "problems.html"].ids


def test_every_command_is_in_the_reference(pages: dict[Path, Seen], site: Path) -> None:
    ids = pages[site / "reference" / "commands.html"].ids
    assert {f"siklus-{name}" for name in COMMANDS} <= ids
    assert {"siklus-alerts-silence", "siklus-contract-infer"} <= ids


def test_the_first_page_shows_the_transcript_of_the_readme() -> None:
    shown = (ROOT / "docs" / "index.md").read_text().split("```text\n")[1].split("```")[0].splitlines()[1:]
    known = (ROOT / "README.md").read_text().splitlines()
    assert [line for line in shown if line not in known] == []


def test_the_site_has_the_colours_of_all_pages() -> None:
    hexes = re.compile(r"#[0-9a-f]{6}")
    assets = ROOT / "docs" / "assets"
    assert {ACCENT, INK, SECOND} <= set(hexes.findall((assets / "siklus.css").read_text()))
    assert set(hexes.findall((assets / "siklus.svg").read_text())) == {ACCENT, SECOND}
