"""`siklus models`"""

from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.cli.registered import has_registry, registry_of
from siklus.registry.versions import Version
from siklus.train.metric import metric_of

app = command_app()


@app.command()
def models(project: ProjectOption = HERE, as_json: JsonFlag = False) -> int:
    """List the registered versions, the newest first."""
    project_file = opened(project)
    name = project_file.settings.project.name
    versions = registry_of(project_file).versions(name) if has_registry(project_file) else ()
    if as_json:
        print_json(versions)
        return 0
    if not versions:
        results().print("No version yet: `siklus train` registers one when its gates hold.", markup=False)
        return 0
    metric = metric_of(project_file.settings)
    headings = ["version", "stage", metric, "created", "digest", "notes"]
    results().print(table("", headings, [_row(version, metric) for version in versions]))
    return 0


def _row(version: Version, metric: str) -> tuple[object, ...]:
    score = version.metrics.get(metric)
    return (
        version.number,
        version.stage or "",
        "" if score is None else f"{score:.4g}",
        f"{version.created:%Y-%m-%d %H:%M}",
        (version.digest or "")[:12],
        " / ".join(version.annotations),
    )
