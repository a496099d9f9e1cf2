"""What images install: the package's locks, and the part of them that a project needs."""

import re
from collections.abc import Iterator, Mapping

from siklus.bundle.manifest import Manifest
from siklus.deploy.rendering import packaged

SERVE_LOCK = "requirements-serve.lock"
LOOP_LOCK = "requirements-loop.lock"
NATIVE_LOCK = "requirements-native.lock"
SKLEARN = frozenset({"cloudpickle", "joblib", "narwhals", "scikit-learn", "scipy", "threadpoolctl"})
FRAME = frozenset({"pandas", "python-dateutil", "tzdata"})
# Read by those tools of onnxruntime that make models, which are taken out of an image.
TOOLS = frozenset({"flatbuffers", "protobuf"})
SIGNATURES = frozenset({"cffi", "cryptography", "pycparser"})  # 13 MB of a server that trusts no keys

# A model's format → what opens it.
NATIVE: Mapping[str, frozenset[str]] = {
    "onnx": frozenset(),
    "skops": SKLEARN | {"packaging", "prettytable", "skops", "wcwidth"},
    "xgboost": SKLEARN | {"xgboost-cpu"},
    "lightgbm": frozenset({"lightgbm", "narwhals", "scipy"}),
}
# A candidate's name → what fits it, beside the whole of Siklus.
CANDIDATES: Mapping[str, frozenset[str]] = {
    "xgboost": frozenset({"xgboost-cpu"}),
    "lightgbm": frozenset({"lightgbm", "narwhals"}),
}


def serve_lock(manifest: Manifest, *, signatures: bool) -> str:
    """The lock of a server for one bundle: with its library where ONNX does not hold its model.

    ``signatures``: whether it checks any.
    """
    unread = TOOLS if signatures else TOOLS | SIGNATURES
    blocks = {line: block for line, block in _blocks(SERVE_LOCK).items() if _name(line) not in unread}
    wanted = NATIVE[manifest.model] | (FRAME if manifest.takes == "frame" else frozenset())
    return _lock("What this server needs and nothing else.", blocks | _native(wanted))


def loop_lock(candidates: tuple[str, ...]) -> str:
    """The lock of all of Siklus, with the libraries of the candidates that need one of their own."""
    wanted = frozenset().union(*(CANDIDATES.get(name, frozenset()) for name in candidates))
    return _lock("All of Siklus, for trainings and for the loop.", _blocks(LOOP_LOCK) | _native(wanted))


def _native(wanted: frozenset[str]) -> dict[str, str]:
    return {line: block for line, block in _blocks(NATIVE_LOCK).items() if _name(line) in wanted}


def _blocks(lock: str) -> dict[str, str]:
    """The requirement's line → that line and its hashes."""
    found = re.findall(r"^(\S.*) \\\n((?: {4}.*\n)+)", packaged(f"images/{lock}"), re.MULTILINE)
    return {line: f"{line} \\\n{hashes}" for line, hashes in found}


def _name(line: str) -> str:
    return line.partition("==")[0]


def _lock(title: str, blocks: Mapping[str, str]) -> str:
    return "".join(_lines(title, blocks))


def _lines(title: str, blocks: Mapping[str, str]) -> Iterator[str]:
    yield f"# {title} Written by `siklus deploy docker`: names, versions and hashes.\n"
    for line in sorted(blocks):
        yield blocks[line]
