"""Writes the bundle of format 1 beside this file: `python -m tests.bundle.golden.make`.

It was run once and is kept to show how the bundle came about. When the format number changes, the bundle
stays as it is (it must stay readable), and a `format-2` is made beside it.
"""

from pathlib import Path

from tests.bundle.sealed import sealed

if __name__ == "__main__":
    print(sealed(Path(__file__).parent / "format-1"))  # noqa: T201 - this is a script
