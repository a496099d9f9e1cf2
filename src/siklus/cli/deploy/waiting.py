"""How long the tools that watch wait, as options of every command that writes their files."""

from typing import Annotated

import typer

EveryOption = Annotated[
    str, typer.Option("--every", metavar="DURATION", help="How often Prometheus scrapes.")
]
GroupWaitOption = Annotated[
    str,
    typer.Option(
        "--group-wait", metavar="DURATION", help="How long a first alert waits for others of its group."
    ),
]
GroupIntervalOption = Annotated[
    str,
    typer.Option(
        "--group-interval", metavar="DURATION", help="How long a group that was told waits for more."
    ),
]
