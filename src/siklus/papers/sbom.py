"""The parts list of a release, CycloneDX 1.6: the model with its card, its data, and all that was installed.

It is a function of the sealed bundle, so any old release has one, and nothing is added to a training. Only
the licences come from the packages that are installed here, where they are of the same version.
"""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from siklus.papers.evidence import Evidence
from siklus.papers.licences import licences
from siklus.papers.model_card_json import DATA_REF, model_card, training_data

MODEL_REF = "model"
ORDER = ("$schema", "bomFormat", "specVersion", "serialNumber", "version", "metadata")  # what is read first
REQUIREMENTS = "requirements.txt"  # of the bundle: what it takes to answer
NO_PACKAGE = ("python", "platform")  # what the environment tells beside the packages


def sbom(evidence: Evidence) -> str:
    """The JSON document, the same for the same bundle: its serial number is made of the bundle's digest."""
    made = evidence.provenance
    model, data, parts = _model(evidence), _data(evidence), list(_packages(evidence))
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"urn:siklus:bundle:{evidence.digest}"),
        metadata=BomMetaData(
            timestamp=evidence.manifest.created,
            component=model,
            tools=ToolRepository(
                components=[Component(name="siklus", version=made.siklus, type=ComponentType.APPLICATION)]
            ),
        ),
        components=[data, *parts],
    )
    bom.register_dependency(model, [data, *(part for part in parts if part.scope is ComponentScope.REQUIRED)])
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    return json.dumps(_completed(document, evidence), indent=2, ensure_ascii=False) + "\n"


def _completed(document: dict[str, Any], evidence: Evidence) -> dict[str, Any]:
    """With what the library has no classes for."""
    document["metadata"]["component"]["modelCard"] = model_card(evidence)
    for component in document["components"]:
        if component["bom-ref"] == DATA_REF:
            component["data"] = training_data(evidence)
    return {key: document[key] for key in ORDER} | document


def _model(evidence: Evidence) -> Component:
    manifest, made = evidence.manifest, evidence.provenance
    told = {
        "siklus:bundle.digest": evidence.digest,
        "siklus:bundle.file": manifest.model_file,
        "siklus:trained": made.trained,
        "siklus:trigger": made.triggered_by,
        "siklus:git.commit": made.git_commit,
        "siklus:parent": made.parent_version,
        "siklus:platform": made.environment.get("platform"),
    }
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=MODEL_REF,
        name=manifest.name,
        version=evidence.version,
        description=f"Predicts {evidence.contract.target.name} ({evidence.contract.task}).",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=manifest.files[manifest.model_file].sha256)],
        properties=[Property(name=name, value=value) for name, value in told.items() if value is not None],
    )


def _data(evidence: Evidence) -> Component:
    """Its version is the digest of the rows, which is none of a file: of equal rows it is equal."""
    made = evidence.provenance
    return Component(
        type=ComponentType.DATA,
        bom_ref=DATA_REF,
        name=made.source or "training rows",
        version=made.data_digest,
        description="The rows that the model was trained, chosen and judged on.",
    )


def _packages(evidence: Evidence) -> Iterator[Component]:
    """All that was installed where it was trained; required is what it takes to answer."""
    environment = evidence.provenance.environment
    needed = set(_required(evidence.path))
    known = licences(environment)
    if "python" in environment:
        yield Component(
            type=ComponentType.PLATFORM,
            bom_ref="python",
            name="python",
            version=environment["python"],
            scope=ComponentScope.REQUIRED,
        )
    for name, version in environment.items():
        if name in NO_PACKAGE:
            continue
        plain = normalized(name)
        yield Component(
            type=ComponentType.LIBRARY,
            bom_ref=f"package:{plain}",
            name=name,
            version=version,
            scope=ComponentScope.REQUIRED if plain in needed else ComponentScope.EXCLUDED,
            purl=PackageURL(type="pypi", name=plain, version=version),
            licenses=[known[name]] if name in known else None,
        )


def _required(bundle: Path) -> Iterator[str]:
    file = bundle / REQUIREMENTS
    lines = file.read_text().splitlines() if file.is_file() else []
    for line in lines:
        yield normalized(re.split(r"[=<>!~ \[]", line.strip(), maxsplit=1)[0])


def normalized(name: str) -> str:
    """As PEP 503 and package URLs write it.

    >>> normalized("Ruamel.Yaml_clib")
    'ruamel-yaml-clib'
    """
    return re.sub(r"[-_.]+", "-", name).lower()
