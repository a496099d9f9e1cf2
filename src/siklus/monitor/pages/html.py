"""From a template to one HTML file that may load nothing, run nothing and send nothing."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from siklus.monitor.notify.wording import parts
from siklus.monitor.pages import words

HERE = "siklus.monitor.pages"


def rendered(template: str, **values: object) -> str:
    """The page. Whatever is put into it is escaped, but for what `Drawing` holds."""
    sheet = _sheet()
    return _filled(template, values | {"sheet": _Verbatim(sheet), "policy": _policy(sheet)})


def rendered_with_pictures(template: str, **values: object) -> str:
    """The same for a page that shows pictures, which are written into it as `data:` addresses."""
    sheet = _sheet()
    return _filled(
        template, values | {"sheet": _Verbatim(sheet), "policy": f"{_policy(sheet)}; img-src data:"}
    )


def _filled(template: str, values: Mapping[str, object]) -> str:
    return _environment().get_template(template).render(**values)


class _Verbatim(str):
    """Text of ours that a template takes as it is."""

    def __html__(self) -> str:
        return str(self)


def _policy(sheet: str) -> str:
    """Nothing from anywhere, and no style but this one."""
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def _sheet() -> str:
    return files(HERE).joinpath("templates", "page.css").read_text("utf-8")


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        count=words.count,
        percent=words.percent,
        number=words.number,
        parts=parts,
        seconds=words.seconds,
        shown=words.printable,
    )
    return made
