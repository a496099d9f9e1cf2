"""[deploy]: what images, stacks and pipelines are called, and where they go."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

PLAIN_URL = r"^https?://[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?\Z"
NAMESPACE = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z"

# As the OCI distribution specification writes names: lower case, no tag.
ImageName: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*(:[0-9]{1,5}(?=/))?(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*\Z",
        max_length=200,
        extra_json_schema={"description": "an image's name without a tag, such as ghcr.io/acme/flights"},
    ),
]
ImageReference: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^(?!.*\.\.)[a-z0-9][a-z0-9._/:-]*[a-z0-9](:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?\Z",
        max_length=300,
        extra_json_schema={"description": "an image with its tag or digest, such as python:3.11-slim"},
    ),
]
# What `pip install` is given; a wheel's path is one below the project.
Requirement: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^(siklus(==[A-Za-z0-9.+]+)?|(?!.*\.\./)[A-Za-z0-9][A-Za-z0-9._/-]*\.whl)\Z",
        max_length=200,
        extra_json_schema={
            "description": "'siklus==1.2.0', or a wheel of the project such as 'deploy/siklus-1.2.0.whl'"
        },
    ),
]
SshHost: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^([a-z_][a-z0-9_-]{0,31}@)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z",
        extra_json_schema={"description": "a machine for ssh, such as deploy@model.example.com"},
    ),
]
RemoteFolder: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^(?!.*/\.\.?(/|\Z))/[A-Za-z0-9._/-]{1,200}\Z",
        extra_json_schema={"description": "an absolute folder of plain characters, such as /srv/flights"},
    ),
]
ServiceUrl: TypeAlias = Annotated[
    str,
    Meta(
        pattern=PLAIN_URL,
        extra_json_schema={"description": "a URL such as https://flights.example.com"},
    ),
]
Namespace: TypeAlias = Annotated[
    str,
    Meta(
        pattern=NAMESPACE,
        extra_json_schema={"description": "a namespace of Kubernetes: lower-case letters, digits and -"},
    ),
]


class Deploy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[deploy]: what `siklus deploy` writes into images, stacks and pipelines.

    ``image``: without a tag; without one the project's name. ``base``: what images are built from; a digest
    behind it pins it for good. ``siklus``: how Siklus is installed in images and pipelines: without one, the
    version that writes the files. ``to``: where the pipeline deploys; to ``host`` and ``folder`` by ssh, or
    into ``namespace``. ``url``: where the service answers then, for the health check. ``replicas``: of the
    server, to begin with.
    """

    image: ImageName | None = None
    base: ImageReference = "python:3.11-slim-bookworm"
    siklus: Requirement | None = None
    to: Literal["compose", "kubernetes"] = "compose"
    host: SshHost | None = None
    folder: RemoteFolder | None = None
    namespace: Namespace | None = None
    url: ServiceUrl | None = None
    replicas: Annotated[int, Meta(ge=1, le=1000)] = 2
