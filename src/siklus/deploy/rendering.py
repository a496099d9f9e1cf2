"""Templates of other tools' files: text of the package, filled with words that are checked and quoted."""

import textwrap
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from siklus.deploy.quoting import yaml_text, yaml_word


def render(template: str, **words: object) -> str:
    """The file that a template makes of these words; each word that it names must be there."""
    return _environment().get_template(template).render(**words)


def packaged(path: str) -> str:
    """A file below `deploy/` as it is."""
    return (files("siklus.deploy") / path).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("siklus.deploy"),
        undefined=StrictUndefined,
        # YAML and no HTML: words go through the filter `quoted`, whose rules are YAML's.
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = yaml_text
    environment.filters["word"] = yaml_word
    environment.filters["block"] = _block
    environment.filters["comment"] = _comment
    return environment


def _block(text: str, *, spaces: int) -> str:
    """For below `key: |-`: lines, as far in as they must be. ``text`` begins with no space."""
    return textwrap.indent(text, " " * spaces)


def _comment(text: str, *, spaces: int = 0, width: int = 100) -> str:
    margin = " " * spaces + "# "
    return textwrap.fill(" ".join(text.split()), width, initial_indent=margin, subsequent_indent=margin)
