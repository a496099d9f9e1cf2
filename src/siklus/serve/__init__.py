"""Serve: a bundle behind HTTP. The package itself is the call: `siklus.serve(bundle)`."""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from siklus.extras import need

if TYPE_CHECKING:
    from pathlib import Path

    from siklus.bundle.read import Bundle


class _Callable(ModuleType):
    """Python puts the package under the name `siklus.serve`, where the public call belongs too.

    A function under that name would hide the package or be hidden by it, whichever came last.
    """

    def __call__(
        self,
        bundle: "Bundle | Path | str",
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        insecure: bool = False,
    ) -> None:
        """Answer with this bundle, or the one at this path, until stopped; also from a notebook's cell.

        Blocks, and says on stderr where it listens. There are no keys here, so ServeError SV013 unless the
        host is this machine's own or ``insecure`` lets everybody in. BundleError when the bundle is damaged,
        ServeError SV003 when nothing can listen at the address.
        """
        # Not at the top: the server's process sets up what numpy reads when it is imported.
        need("siklus.serve.run").serve(bundle, host=host, port=port, insecure=insecure)


sys.modules[__name__].__class__ = _Callable
