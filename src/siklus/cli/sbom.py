"""`siklus sbom`"""

import json

from siklus.cli.options import HERE, ProjectOption
from siklus.cli.output import JsonFlag, command_app, print_json, results
from siklus.cli.release import BundleOption, OutOption, VersionArgument, release_bundle
from siklus.files import write_atomic
from siklus.papers.evidence import evidence
from siklus.papers.sbom import sbom as parts_list

app = command_app()


@app.command()
def sbom(
    which: VersionArgument = None,
    bundle: BundleOption = None,
    out: OutOption = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Write the parts list of a version (CycloneDX 1.6): the model, its data, every package it was made with.

    To stdout without --out. The licences are those of the packages that are installed here.
    """
    found = release_bundle(which, bundle, project)
    document = parts_list(evidence(found.path, version=found.number))
    if out is None:
        print(document, end="")
        return 0
    write_atomic(out, document)
    parts = json.loads(document)
    if as_json:
        print_json({"out": str(out), "serial": parts["serialNumber"], "components": len(parts["components"])})
    else:
        results().print(f"{len(parts['components'])} components, {parts['serialNumber']}", markup=False)
        results().print(f"→ {out}", markup=False)
    return 0
