"""Optional and heavy packages: imported where they are used, through one door."""

from importlib import import_module
from types import ModuleType

from siklus.errors import MissingExtra


def need(module: str, *, extra: str | None = None) -> ModuleType:
    """Import ``module``, or raise MissingExtra with the line that installs it.

    Without ``extra`` it is a heavy part of the whole installation, which a serving image leaves out.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as exc:
        # A package that is there but broken must not read as one that is missing.
        if exc.name != module.partition(".")[0]:
            raise
        line = f"pip install 'siklus[{extra}]'" if extra else "pip install siklus"
        raise MissingExtra("XT001", f"{module} is needed here", expected=line) from exc
