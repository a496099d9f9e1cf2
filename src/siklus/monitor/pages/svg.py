"""Charts by matplotlib as SVG inside a page: text stays text, its colour is the page's, and no style is left.

A page that allows no style but its own sheet would ignore matplotlib's `style="…"`, so each becomes plain
attributes. Its style sheet and its ids, which would reach the whole page, go; what is drawn by an id
(markers, bands) stands where it is drawn.
"""

import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from siklus.extras import need
from siklus.palette import DRAWN, INK

Axes: TypeAlias = Any  # matplotlib's own, which is only imported at use

POINTS_PER_INCH = 72
CHART_WIDTH, CHART_HEIGHT = 330, 185  # points: a phone shows them one to one
STYLE = {
    **DRAWN,
    "svg.fonttype": "none",
    "svg.hashsalt": "siklus",
    "axes.edgecolor": INK,
    "axes.labelsize": 10,
    "axes.spines.left": False,
    "grid.color": INK,
    "grid.alpha": 0.15,
    "grid.linewidth": 0.6,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 6,
    "legend.frameon": False,
    "legend.fontsize": 9,
}
FONT = re.compile(r"(?:(?P<weight>bold|\d{3}) )?(?P<size>[\d.]+)px")
KEPT = frozenset(
    {
        *("fill", "stroke", "stroke-width", "stroke-linecap", "stroke-linejoin", "stroke-dasharray"),
        *("stroke-dashoffset", "opacity", "fill-opacity", "stroke-opacity", "text-anchor", "font-size"),
        *("font-weight",),
    }
)
DROPPED = frozenset({"metadata", "defs", "title"})
LONG_NUMBER = re.compile(r"-?\d+\.\d{2,}")
HREF = "{http://www.w3.org/1999/xlink}href"
TURNED_BY_NOTHING = re.compile(r"rotate\(-?0 ")


@dataclass(frozen=True)
class Drawing:
    """An `<svg>` element, which a template takes as it is: `__html__` is how it asks."""

    text: str

    def __html__(self) -> str:
        return self.text


def chart(
    draw: Callable[[Axes], None],
    *,
    about: str,
    width: float = CHART_WIDTH,
    height: float = CHART_HEIGHT,
) -> Drawing:
    """What ``draw`` puts on the axes it is given, as an `<svg>` that its surroundings size.

    ``about``: what a screen reader says instead. ``width``, ``height`` in points: the shape, and how large
    letters are in it.
    """
    matplotlib = need("matplotlib")
    figure_of = need("matplotlib.figure").Figure
    canvas_of = need("matplotlib.backends.backend_svg").FigureCanvasSVG
    file = io.StringIO()
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # The reader's own fonts draw the text; that matplotlib's lack a letter is of no account.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        size = (width / POINTS_PER_INCH, height / POINTS_PER_INCH)
        figure = figure_of(figsize=size, frameon=False)
        axes = figure.subplots()
        axes.patch.set_visible(False)
        draw(axes)
        figure.tight_layout(pad=0.3)
        # Not by `savefig`, which draws everything twice.
        canvas_of(figure).print_svg(file, metadata={"Date": None})
    # Written by matplotlib a line above, so there is nothing in it to guard against.
    drawn = ElementTree.fromstring(file.getvalue())  # noqa: S314
    return _inlined(drawn, about=about)


def _inlined(drawn: Element, *, about: str) -> Drawing:
    box = drawn.get("viewBox", "0 0 0 0")
    width, height = box.split()[2:]
    size = {"width": width, "height": height}  # its own, where the sheet says nothing else
    found = Element("svg", {"viewBox": box, **size, "role": "img", "aria-label": about})
    stamps = {
        f"#{made.get('id')}": made for made in drawn.iter() if made.tag.endswith("}path") and made.get("id")
    }
    found.extend(_plain(drawn, stamps))
    # Nothing in it can leave its element: ElementTree escapes text and attributes.
    return Drawing(ElementTree.tostring(found, encoding="unicode"))


def _plain(parent: Element, stamps: Mapping[str, Element]) -> Iterator[Element]:
    """The children as an HTML page can hold them; a group that says nothing gives way to what it holds."""
    for child in parent:
        tag = child.tag.rpartition("}")[2]
        if tag in DROPPED:
            continue
        attributes = dict(_attributes(child))
        if tag == "g" and not attributes:
            yield from _plain(child, stamps)
        elif tag == "use":
            yield _stamped(child, stamps[child.get(HREF, "")])
        else:
            made = Element(tag, attributes)
            made.text = child.text if tag == "text" else None
            made.extend(_plain(child, stamps))
            yield made


def _stamped(use: Element, stamp: Element) -> Element:
    attributes = {**dict(_attributes(stamp)), **dict(_attributes(use))}
    place = attributes.pop("x"), attributes.pop("y")
    attributes.pop(HREF)
    return Element("path", {**attributes, "transform": f"translate({place[0]} {place[1]})"})


def _attributes(element: Element) -> Iterator[tuple[str, str]]:
    for name, value in element.attrib.items():
        match name:
            case "style":
                yield from _declarations(value)
            case "transform" if TURNED_BY_NOTHING.match(value):
                pass
            case "id" | "clip-path":
                pass  # no chart here draws beyond its axes, and an id would have to be the page's only one
            case _:
                yield name, _shorter(" ".join(value.split()))


def _declarations(style: str) -> Iterator[tuple[str, str]]:
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font" and (found := FONT.match(value)):
            yield "font-size", found["size"]
            if found["weight"]:
                yield "font-weight", found["weight"]
        elif name in KEPT:
            yield name, "currentColor" if value == INK else value.removesuffix("px")


def _shorter(numbers: str) -> str:
    """Coordinates to a tenth of a point, which nobody can see."""
    return LONG_NUMBER.sub(lambda found: f"{float(found.group()):.1f}", numbers)
