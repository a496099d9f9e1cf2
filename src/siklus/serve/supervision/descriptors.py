"""Descriptors: how many files and connections a process of the server may have open."""

import logging
import resource

OWN_DESCRIPTORS = 256  # beside the connections: sockets, logs, models, counters

_LOG = logging.getLogger("siklus.serve")


def raise_descriptors(*, max_connections: int, workers: int) -> None:
    """Take all that the system grants, for this process and its children; say so where that is too few."""
    granted, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if granted != most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    needed = max_connections + workers + OWN_DESCRIPTORS
    if most != resource.RLIM_INFINITY and most < needed:
        _LOG.warning("descriptors_few", extra={"granted": most, "needed": needed})
