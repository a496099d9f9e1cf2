"""`siklus deploy kubernetes`"""

from typing import Annotated

import typer

from siklus.cli.deploy.drafted import ForceFlag, ToOption, put, usual
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app
from siklus.deploy.cluster.kubernetes import Cluster, kubernetes_files
from siklus.monitor.alerts.rules import project_rules

app = command_app()

USUAL = Cluster()


@app.command()
def kubernetes(
    to: ToOption = None,
    tag: Annotated[str, typer.Option(help="Of the images.")] = USUAL.tag,
    ingress: Annotated[
        str, typer.Option("--ingress-in", metavar="NAMESPACE", help="Where the ingress controller runs.")
    ] = USUAL.ingress,
    prometheus: Annotated[
        str, typer.Option("--prometheus-in", metavar="NAMESPACE", help="Where Prometheus runs.")
    ] = USUAL.prometheus,
    storage_class: Annotated[
        str, typer.Option(metavar="CLASS", help="One that gives ReadWriteMany, for production.")
    ] = USUAL.storage_class,
    rate: Annotated[
        int,
        typer.Option(
            "--requests-per-second",
            min=1,
            max=1_000_000,
            help="Of one pod, beyond which there is one more.",
        ),
    ] = USUAL.rate,
    force: ForceFlag = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Manifests for kustomize: a base, what adds to it, and overlays to apply."""
    found = opened(project)
    cluster = Cluster(tag=tag, ingress=ingress, prometheus=prometheus, storage_class=storage_class, rate=rate)
    files = kubernetes_files(found, project_rules(found.settings), cluster)
    return put(
        files.drafts, to or usual(found, "kubernetes"), force=force, remarks=files.remarks, as_json=as_json
    )
