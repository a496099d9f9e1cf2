"""`siklus deploy`"""

from siklus.cli.deploy import compose, docker, kubernetes, mlproject, pipelines, watching
from siklus.cli.output import command_app

app = command_app()


@app.callback()
def deploy() -> None:
    """Write the files that other tools need to run and to watch this project, by the same definitions."""


# Without a name, commands of another file stand among its own.
app.add_typer(watching.app)
app.add_typer(docker.app)
app.add_typer(compose.app)
app.add_typer(pipelines.app)
app.add_typer(kubernetes.app)
app.add_typer(mlproject.app)
