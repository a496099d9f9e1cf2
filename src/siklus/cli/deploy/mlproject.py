"""`siklus deploy mlproject`"""

from collections.abc import Iterator

from siklus.cli.deploy.drafted import ForceFlag, put
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app
from siklus.deploy.mlproject import mlproject_drafts
from siklus.project.file import OpenProject
from siklus.tracking.boundary import shown

app = command_app()


@app.command()
def mlproject(force: ForceFlag = False, project: ProjectOption = HERE, as_json: JsonFlag = False) -> int:
    """MLproject and python_env.yaml: train, evaluate, serve and retrain by `mlflow run`.

    They are written to the project's folder, where MLflow looks for them.
    """
    found = opened(project)
    drafts = mlproject_drafts(found)
    return put(drafts, found.paths.root, force=force, remarks=list(_remarks(found)), as_json=as_json)


def _remarks(project: OpenProject) -> Iterator[str]:
    uri = project.settings.state.tracking_uri
    own = f"sqlite:///{project.settings.state.directory}/mlflow.db"
    yield "Runs of `mlflow run` stand beside those of Siklus where both know the same store:"
    yield f"  export MLFLOW_TRACKING_URI={own if uri is None else shown(uri)}"
    yield "  mlflow run . --env-manager=local    # with the Siklus that is installed here"
