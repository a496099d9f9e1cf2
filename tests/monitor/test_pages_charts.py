"""Charts stand inside a page as plain SVG, and pages say numbers as people write them."""

from xml.etree import ElementTree

import pytest

from siklus.monitor.pages.axes import dates, moments_of
from siklus.monitor.pages.svg import Axes, chart
from siklus.monitor.pages.words import number, percent, printable, seconds
from tests.monitor.pages import HOSTILE


def everything(axes: Axes) -> None:
    """Bars, lines with markers, bands, error bars, a legend, turned labels."""
    axes.stairs([1, 5, 2], [0, 1, 2, 3], fill=True)
    axes.plot([0, 1, 2], [1, 2, 3], marker="o", label="line")
    axes.fill_between([0, 1, 2], [0, 1, 2], [2, 3, 4], alpha=0.2)
    axes.errorbar([0, 1], [1, 2], yerr=[0.5, 0.5], fmt="o")
    axes.set_xticks([0, 1, 2], [HOSTILE, "$x$", "b & c"], rotation=30)
    axes.legend()


def test_a_chart_has_neither_styles_nor_ids_nor_references() -> None:
    drawn = ElementTree.fromstring(chart(everything, about=HOSTILE).text)
    elements = list(drawn.iter())
    assert {element.tag for element in elements} <= {"svg", "g", "path", "text"}
    for element in elements:
        assert not {"style", "id", "class", "clip-path", "href"} & set(element.attrib)
    assert drawn.get("aria-label") == HOSTILE
    assert {element.text for element in elements if element.tag == "text"} >= {
        HOSTILE,
        "$x$",
        "b & c",
        "line",
    }


def test_markers_stand_where_they_are_drawn() -> None:
    def three(axes: Axes) -> None:
        axes.plot([0, 1, 2], [0, 1, 2], marker="o", linestyle="")

    drawn = ElementTree.fromstring(chart(three, about="three points").text)
    stamps = [element for element in drawn.iter() if element.get("transform", "").startswith("translate")]
    assert len({element.get("transform") for element in stamps}) == 3


def test_text_has_the_colour_of_the_page() -> None:
    drawn = ElementTree.fromstring(chart(everything, about="x").text)
    assert {element.get("fill") for element in drawn.iter() if element.tag == "text"} == {"currentColor"}


def test_the_same_chart_is_drawn_as_the_same_bytes() -> None:
    assert chart(everything, about="x") == chart(everything, about="x")


def test_dates_beyond_the_calendar_are_left_to_plain_numbers() -> None:
    assert moments_of([0.0, 1e30]) is None
    assert moments_of([0.0, 3e17]) is None
    found = moments_of([0.0, 86_400e6])
    assert found is not None
    texts: list[str] = []

    class Axis:
        def set_ticks(self, _ticks: object, labels: list[str]) -> None:
            texts.extend(labels)

    dates(Axis(), found)
    assert texts == ["00:00", "08:00", "16:00", "00:00"]


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (-12.5, "-12.5"), (9999, "9999"), (10_000, "10,000"), (1e6, "1e+06"), (float("nan"), "–")],
)
def test_numbers_are_short(value: float, said: str) -> None:
    assert number(value) == said


def test_what_is_not_quite_all_or_nothing_is_not_said_to_be() -> None:
    assert (percent(0), percent(1), percent(1e-9), percent(1 - 1e-9)) == (
        "0 %",
        "100 %",
        "<0.01 %",
        ">99.99 %",
    )
    assert percent(0.9995) == "99.95 %"


def test_lengths_of_time_have_a_fitting_unit() -> None:
    assert [seconds(x) for x in (None, 0.5, 3600, 86_400, 30 * 86_400)] == [
        "–",
        "500 ms",
        "1 h",
        "1 day",
        "30 days",
    ]


def test_what_nobody_can_see_is_written_out() -> None:
    assert printable("a\u202eb\x00\u200b") == "a\\u202eb\\x00\\u200b"
    assert len(printable("x" * 1000)) == 60
