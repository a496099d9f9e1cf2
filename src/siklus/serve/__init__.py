"""Serve: a bundle behind HTTP. The package itself is the call: `siklus.serve(bundle)`."""

import sys
from pathlib import Path
from types import ModuleType

from siklus.bundle.read import Bundle
from siklus.serve.run import serve


class _Callable(ModuleType):
    """Python puts the package under the name `siklus.serve`, where the public call belongs too.

    A function under that name would hide the package or be hidden by it, whichever came last.
    """

    def __call__(self, bundle: Bundle | Path | str, *, host: str = "127.0.0.1", port: int = 8000) -> None:
        serve(bundle, host=host, port=port)

    __call__.__doc__ = serve.__doc__


sys.modules[__name__].__class__ = _Callable
