"""Size: what a pod asks for, as small models need it; a large one's pods are killed until they have more."""

import math

from msgspec import Struct

from siklus.project.sections import Project

WORKER_MIB, SERVER_MIB = 96, 64  # of memory: twice what was seen with a small model
ROOM = 4  # times the request: large batches, and two models while one is swapped
CPU_MILLIS = 500  # of a worker
LOOP_MIB = 4096  # the loop's training beside its server
FAREWELL = 5  # seconds in which every node hears that a pod goes
MERCY = 5  # seconds beyond the grace of requests
MOST_TIMES = 5  # as many servers as to begin with


class Size(Struct, frozen=True, kw_only=True):
    """As Kubernetes writes them; times in whole seconds."""

    cpu: str
    memory: str
    memory_limit: str
    loop_memory: str
    grace: int
    farewell: int = FAREWELL
    mercy: int = MERCY

    @property
    def termination(self) -> int:
        return self.farewell + self.grace + self.mercy


def size_of(project: Project) -> Size:
    serve, bound = project.serve, project.retrain.memory_bytes
    memory = SERVER_MIB + WORKER_MIB * serve.workers
    loop = LOOP_MIB if bound is None else math.ceil(bound / 2**20) + 1024
    return Size(
        cpu=f"{CPU_MILLIS * serve.workers}m",
        memory=f"{memory}Mi",
        memory_limit=f"{ROOM * memory}Mi",
        loop_memory=f"{loop}Mi",
        grace=math.ceil(serve.grace_seconds),
    )
