"""Siklus: the whole production life of a machine-learning model, from one project file.

From Python, `siklus.package(model, X, y, name=…)` seals a trained model, and `siklus.serve(bundle)`
answers with it.
"""

from typing import TYPE_CHECKING, Any

from siklus.extras import need

if TYPE_CHECKING:
    from siklus.serve.run import serve as serve

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Only who asks for one of the two waits for what it needs: `import siklus` takes milliseconds.
    if name == "serve":
        return need("siklus.serve")  # the package, which can be called: see there
    if name == "package":
        return need("siklus.train.package").package
    raise AttributeError(f"module 'siklus' has no attribute {name!r}")
