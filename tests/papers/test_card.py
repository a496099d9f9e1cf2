"""The card as it stands today, and as a page: whatever a bundle's maker wrote, it loads and runs nothing."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from siklus.errors import PapersError
from siklus.monitor.pages.card_page import Body, CardPage, card_page
from siklus.papers.card import MAX_CARD_BYTES, Lived, Registered, Since, living_card, pictures
from siklus.papers.card_html import card_html
from siklus.papers.evidence import Measured, evidence
from tests.bundle.sealed import sealed

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
MEASURED = {"evaluation": {"metrics": {"mae": {"value": 9.5, "low": 9.0, "high": 10.0}}}}
HOSTILE = """# <script>alert(1)</script>
[x](javascript:alert(1)) ![y](http://evil.example/z.png) <http://evil.example> <img src=x onerror=alert(1)>

[ref]: http://evil.example

| a | b |
| --- | --- |
| `<b>` | [ref] <a href="http://evil.example">c</a> |

<style>body { display: none }</style>
<meta http-equiv="refresh" content="0; url=http://evil.example">
"""


class Elements(HTMLParser):
    """Which elements a page has, with the attributes of each."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_what_has_become_of_it_stands_below_what_was_sealed(tmp_path: Path) -> None:
    found = evidence(sealed(tmp_path / "bundle", card="# flights\n\nSealed words.\n", evaluation=MEASURED))
    lived = Lived(
        until=NOW,
        predictions=12_345,
        labelled=1_200,
        metric="mae",
        found=Measured(value=12.0, low=11.5, high=12.5),
    )
    known = Registered(number=7, stage="production", annotations=("Two\nlines",))
    text = living_card(found, Since(registered=known, signature="signed by anna.pub", lived=lived))
    assert text.startswith("# flights\n\nSealed words.\n")
    for line in (
        "- Version 7 of flights, production.",
        "- Signature: signed by anna.pub.",
        "- A note: Two lines",
        "- 12,345 answers in the log here, until 2026-02-01 12:00 UTC; 1,200 of them with their outcome.",
        "- mae of these: 12 (11.5 to 12.5); in the evaluation 9.5 (9 to 10).",
    ):
        assert line in text.splitlines()


def test_without_outcomes_nothing_is_claimed(tmp_path: Path) -> None:
    found = evidence(sealed(tmp_path / "bundle"))
    lived = Lived(until=NOW, predictions=10, labelled=0, metric="mae", found=None)
    assert "is not known yet" in living_card(found, Since(lived=lived))
    assert "Nothing that could be read here" in living_card(found, Since())


def test_a_card_without_an_end_is_refused(tmp_path: Path) -> None:
    found = evidence(sealed(tmp_path / "bundle", card="x" * (MAX_CARD_BYTES + 1)))
    with pytest.raises(PapersError) as caught:
        living_card(found, Since())
    assert caught.value.code == "PA004"


def test_a_hostile_card_is_only_text(tmp_path: Path) -> None:
    bundle = sealed(tmp_path / "bundle", card=HOSTILE)
    found = evidence(bundle)
    page = card_page(
        CardPage(
            name='"><script>',
            version="7",
            digest=found.digest,
            body=Body(card_html(living_card(found, Since()))),
            pictures=pictures(bundle),
        ),
        made=NOW,
        by="0",
    )
    elements = Elements(page)
    names = {name for name, _ in elements.seen}
    assert names & {"script", "a", "iframe", "object", "form", "link", "base"} == set()
    assert [name for name, _ in elements.seen if name == "style"] == ["style"]
    assert [attributes["src"] for name, attributes in elements.seen if name == "img"] == [
        "data:image/png;base64,iVBORw=="
    ]
    assert not any(key.startswith("on") for _, attributes in elements.seen for key in attributes)
    [policy] = [
        attributes["content"] or ""
        for name, attributes in elements.seen
        if name == "meta" and attributes.get("http-equiv")
    ]
    assert policy.startswith("default-src 'none'")


def test_tables_are_tables(tmp_path: Path) -> None:
    shown = card_html("| a | b |\n| --- | --- |\n| `x\\|y` | 1 |\n")
    assert "<td><code>x|y</code></td>" in shown
