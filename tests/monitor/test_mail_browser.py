"""A mail's HTML in a real browser: a phone shows all of it, and nothing is asked for or run."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.monitor.notices import bars, event, notification, series
from tests.monitor.pages import DESKTOP, HOSTILE, PHONE, browsing, looked_at
from tests.monitor.test_mail_message import html_of, mail

OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
PICTURES = "[...document.images].map(image => image.naturalWidth > 0 && image.width <= window.innerWidth)"
# Of the text and the ground behind it, as WCAG 2.2 counts: the least of all paragraphs.
CONTRAST = """() => {
    const part = value => value <= 10.31 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
    const light = colour => {
        const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(part);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = element => {
        for (; element; element = element.parentElement) {
            const colour = getComputedStyle(element).backgroundColor;
            if (!colour.startsWith('rgba')) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    return Math.min(...[...document.querySelectorAll('p, h1, h2, pre, code')].map(element => {
        const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
    }));
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a mail program opens it: what the mail brings along stands in its place."""
    label = HOSTILE + "x" * 200
    hostile = event(rule="unseen_share", signal="unseen_share", label=label, value=0.5, severity="critical")
    found = mail(
        notification(
            hostile, event(severity="warning"), event(), event(state="resolved"), evidence=(series(), bars())
        )
    )
    html = html_of(found)
    for part in found.walk():
        if part.get_content_maintype() == "image":
            inside = f"data:image/png;base64,{base64.b64encode(part.get_content()).decode()}"
            html = html.replace(f"cid:{part['Content-ID'].strip('<>')}", inside)
    file = tmp_path_factory.mktemp("mail") / "mail.html"
    file.write_text(html)
    return file


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_all_of_a_mail_can_be_read(browser: Browser, opened: Path, size: dict[str, int], scheme: str) -> None:
    page, wrong = looked_at(browser, opened, size=size, scheme=scheme)
    assert [each for each in wrong if not each.startswith("data:image/png")] == []
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate(PICTURES) == [True, True]
    assert page.evaluate(CONTRAST) >= 4.5
    page.context.close()
