"""Both pages in a real browser: nothing is asked for, nothing goes wrong, and a phone shows all of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from siklus.monitor.pages.profile_page import profile_page
from siklus.monitor.portrait.data import Asked, portray
from tests.cli.projects import siklus
from tests.monitor.pages import DESKTOP, HOSTILE, PHONE, browsing, looked_at
from tests.monitor.test_pages_profile import ABOUT, hostile
from tests.monitor.test_pages_report import Shop

PAGES = ("profile", "report")
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
SMALLEST = """Math.min(...[...document.querySelectorAll('svg text')].map(
    text => text.getBoundingClientRect().height))"""
GROUND = "getComputedStyle(document.body).backgroundColor"
BEYOND = """[...document.querySelectorAll('.charts svg')].filter(svg => {
    const box = svg.getBoundingClientRect();
    return [...svg.querySelectorAll('text')].some(text => {
        const own = text.getBoundingClientRect();
        return own.left < box.left - 4 || own.right > box.right + 4 || own.bottom > box.bottom + 4;
    });
}).map(svg => svg.getAttribute('aria-label'))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """profile.html and report.html, of columns and words that try to get out."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "profile.html").write_text(profile_page(portray(hostile(), Asked(target=HOSTILE)), ABOUT))
    shop = Shop(folder / "shop")
    done = siklus("report", "-C", shop.folder, "--window", "1h", "--out", folder / "report.html")
    assert done.code == 0, done.err
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_the_page_without_scrolling_sideways(
    browser: Browser, pages: Path, name: str, scheme: str
) -> None:
    page, wrong = looked_at(browser, pages / f"{name}.html", size=PHONE, scheme=scheme)
    assert wrong == []
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate(SMALLEST) >= 9, "letters that nobody can read"
    page.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_no_label_sticks_out_of_its_chart(browser: Browser, pages: Path, name: str) -> None:
    page, wrong = looked_at(browser, pages / f"{name}.html", size=DESKTOP, scheme="light")
    assert wrong == []
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate(BEYOND) == []
    page.context.close()


def test_the_page_is_dark_where_everything_is(browser: Browser, pages: Path) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page, _ = looked_at(browser, pages / "profile.html", size=DESKTOP, scheme=scheme)
        grounds.append(page.evaluate(GROUND))
        page.context.close()
    assert grounds == ["rgb(255, 255, 255)", "rgb(18, 24, 30)"]


def test_a_link_leads_to_its_column(browser: Browser, pages: Path) -> None:
    page, wrong = looked_at(browser, pages / "profile.html", size=DESKTOP, scheme="light")
    page.get_by_role("link", name=HOSTILE).click()
    assert page.locator("article:target h3").inner_text() == HOSTILE
    assert [message for message in wrong if "#" not in message] == []
    page.context.close()
