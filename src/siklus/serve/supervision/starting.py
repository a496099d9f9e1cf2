"""Starting: from a plan to a supervised server."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from siklus.bundle.manifest import read_manifest
from siklus.bundle.signatures import read_trusted
from siklus.serve.access.auth import refuse_open_door
from siklus.serve.admin.port import admin_listening, admin_tls
from siklus.serve.counting.counters import supervising
from siklus.serve.counting.shelf import shared_counters
from siklus.serve.events import tell_events
from siklus.serve.plan import Plan
from siklus.serve.supervision.companions import Companion, Errand, upkeep
from siklus.serve.supervision.descriptors import raise_descriptors
from siklus.serve.supervision.notices import noticed
from siklus.serve.supervision.supervisor import Supervisor
from siklus.serve.wire.listening import listening
from siklus.serve.wire.tls import tls_of

_LOG = logging.getLogger("siklus.serve")


def start(plan: Plan, *, companions: Sequence[Sequence[str]] = ()) -> int:
    """Serve with a process a worker until SIGTERM or Ctrl-C: 0, or 1 where something had to be cut off.

    ``companions``: commands that run beside the workers. BundleError for a path that holds no bundle
    and BN018 for a trusted key that is none,
    ServeError SV003 for an address, SV009 when nothing can be answered, SV012 for the TLS files, SV013 and
    SV014 for the keys, SV018, SV019 and SV023 for the admin port.
    """
    began = time.monotonic()
    if isinstance(plan.bundle, Path):
        read_manifest(plan.bundle)  # a wrong path is said before anything listens
    plan = replace(plan, trusted=read_trusted(plan.serve.trusted_keys, root=Path()))
    refuse_open_door(plan)
    tls = tls_of(plan.serve)
    with (
        shared_counters(plan.own) as counters,
        supervising(counters),
        noticed() as notices,
        listening(plan.serve) as listeners,
        admin_listening(plan.serve, plan.state) as admin,
    ):
        tell_events()
        _LOG.info("listening", extra={"url": listeners[0].url(tls=tls is not None)})
        if admin is not None:
            url = admin.listener.url(tls=admin_tls(admin, tls) is not None)
            _LOG.info("admin_listening", extra={"url": url})
        raise_descriptors(max_connections=plan.serve.max_connections, workers=plan.serve.workers)
        _LOG.info("started", extra={"workers": plan.serve.workers})
        supervisor = Supervisor(
            replace(plan, counters=counters, admin=admin),
            listeners,
            tls=tls,
            companions=_companions(plan, companions),
        )
        code = supervisor.run(notices)
    _LOG.info("stopped", extra={"code": code, "seconds": round(time.monotonic() - began, 3)})
    return code


def _companions(plan: Plan, residents: Sequence[Sequence[str]]) -> list[Companion | Errand]:
    found: list[Companion | Errand] = [Companion(argv=argv) for argv in residents]
    return found if plan.state is None else [*found, upkeep(plan.state, plan.records)]
