"""Every call of the server as a page, from the OpenAPI document of a server that tells irises apart."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import siklus
from siklus.project.sections import Serve
from siklus.serve.app import create_app
from siklus.serve.desk import open_desk
from siklus.serve.openapi import document
from siklus.serve.plan import Plan

ABOUT = """# HTTP, call by call

What `/openapi.json` of a running server says, here of one that tells irises apart; this page is written from
that document when the site is built. [HTTP](../http.md) tells the same as a story, with an answer for each
call; a server's own `/docs` has it for your columns, ready to try.
"""


def page() -> str:
    """The reference of all calls, and of what is sent and answered, in the document's order."""
    return _written(_described())


def _described() -> Any:
    flowers = load_iris(as_frame=True)
    rows = flowers.data.rename(columns=lambda name: name.removesuffix(" (cm)"))
    kinds = flowers.target_names[flowers.target]
    model = LogisticRegression(max_iter=500).fit(rows, kinds)
    with TemporaryDirectory() as folder:
        bundle = siklus.package(model, rows, kinds, name="irises", directory=Path(folder) / "bundle")
        with open_desk(Plan(bundle=lambda: bundle)) as desk:
            return document(create_app(desk).routes, bundle, Serve())


def _written(described: Any) -> str:
    lines = [ABOUT]
    for path, methods in described["paths"].items():
        for method, call in methods.items():
            lines += _call(f"{method.upper()} {path}", call)
    lines.append("## What is sent and answered\n")
    for name, schema in described["components"]["schemas"].items():
        lines += _schema(name, schema)
    return "\n".join(lines)


def _call(title: str, call: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {title}\n\n**{call['summary']}.** {call.get('description', '')}\n"
    for parameter in call.get("parameters", ()):
        yield f"- `{parameter['name']}` ({parameter['in']}): {parameter.get('description', '')}"
    for kind, sent in call.get("requestBody", {}).get("content", {}).items():
        yield f"\nSent as `{kind}`{_named(sent)}.\n"
        for example in list(sent.get("examples", {}).values())[:1]:
            yield f"```json\n{json.dumps(example['value'], ensure_ascii=False)}\n```\n"
    yield "\n| status | when | answer |\n| --- | --- | --- |"
    for status, answer in call["responses"].items():
        shapes = [f"`{kind}`{_named(body)}" for kind, body in answer.get("content", {}).items()]
        yield f"| {status} | {_cell(answer['description'])} | {'; '.join(shapes)} |"
    yield ""


def _named(body: Mapping[str, Any]) -> str:
    reference = body.get("schema", {}).get("$ref", "")
    return f", {_link(reference)}" if reference else ""


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    if "description" in schema:
        yield f"{schema['description']}\n"
    fields = schema.get("properties", {})
    if not fields:
        yield f"{_kind(schema)}\n"
        return
    required = schema.get("required", ())
    yield "| field | kind | meaning |\n| --- | --- | --- |"
    for field, found in fields.items():
        kind = _kind(found) + ("" if field in required else ", optional")
        yield f"| `{field}` | {kind} | {_cell(found.get('description', ''))} |"
    yield ""


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words: `number or null`, `list of string`, a link to what has a name."""
    match schema:
        case {"$ref": reference}:
            return _link(reference)
        case {"anyOf": several} | {"oneOf": several}:
            return " or ".join(map(_kind, several))
        case {"enum": words}:
            return "one of " + ", ".join(f"`{json.dumps(word)}`" for word in words)
        case {"const": word}:
            return f"`{json.dumps(word)}`"
        case {"type": "array", "items": items}:
            return f"list of {_kind(items)}"
        case {"type": str(kind)}:
            return kind
        case {"type": list(kinds)}:
            return " or ".join(kinds)
        case _:
            return "anything"


def _link(reference: str) -> str:
    name = reference.rpartition("/")[2]
    return f"[{name}](#{name.lower()})"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
