"""What a Python program uses of Siklus as a page, from signatures and docstrings."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

from siklus.bundle.read import Bundle, open_bundle
from siklus.contract.decode import decode_records, decode_table
from siklus.serve.run import serve
from siklus.train.package import package

ABOUT = """# Python

What a script or a notebook uses; the command line does the rest. This page is written from the code's own
signatures and docstrings when the site is built. Codes such as EX010 are explained in
[problems](../problems.md).

```python
import siklus

bundle = siklus.package(model, X, y, name="churn")   # scikit-learn, XGBoost, LightGBM, PyTorch or ONNX
siklus.serve(bundle)                                  # the same server, contract, metrics and checks
```
"""

CALLS: dict[str, Callable[..., Any]] = {
    "siklus.package": package,
    "siklus.serve": serve,
    "siklus.bundle.read.open_bundle": open_bundle,
    "siklus.contract.decode.decode_records": decode_records,
    "siklus.contract.decode.decode_table": decode_table,
}
KINDS: dict[str, type] = {"siklus.bundle.read.Bundle": Bundle}


def page() -> str:
    """The reference of the calls above and of the values that they give back."""
    return "\n".join([ABOUT, *_calls(), *_kinds()])


def _calls() -> Iterator[str]:
    for name, call in CALLS.items():
        yield f"## {name}\n\n{_signature(name, call)}\n\n{inspect.getdoc(call)}\n"


def _kinds() -> Iterator[str]:
    for name, kind in KINDS.items():
        yield f"## {name}\n\n{inspect.getdoc(kind)}\n"
        for member, value in vars(kind).items():
            about = inspect.getdoc(value) if not member.startswith("_") else None
            if about and (callable(value) or isinstance(value, property)):
                yield f"`{member}`\n:   {' '.join(about.split())}\n"


def _signature(name: str, call: Callable[..., Any]) -> str:
    """The call as one would write it, an argument a line."""
    signature = inspect.signature(call)
    arguments = "".join(f"    {line},\n" for line in _arguments(signature))
    return f"```python\n{name}(\n{arguments}) -> {_word(signature.return_annotation)}\n```"


def _arguments(signature: inspect.Signature) -> Iterator[str]:
    named_only = False
    for argument in signature.parameters.values():
        if argument.kind is argument.KEYWORD_ONLY and not named_only:
            named_only = True
            yield "*"
        default = "" if argument.default is argument.empty else f" = {argument.default!r}"
        yield f"{argument.name}: {_word(argument.annotation)}{default}"


def _word(annotation: Any) -> str:
    """A type as a person writes it: without the modules that it comes from."""
    words = re.sub(r"^Optional\[(.*)\]$", r"\1 | None", inspect.formatannotation(annotation))
    return re.sub(r"\b(?:\w+\.)+(?=[A-Z])", "", words)
