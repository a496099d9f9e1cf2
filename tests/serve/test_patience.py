"""A replacement whose bundle cannot be opened: the others answer in its stead, and it comes in later."""

import time
from pathlib import Path

import httpx
import psutil

from tests.serve.published import ANSWER, ROW, eventually, publish, serving_state, version_in
from tests.serve.servers import Server

CONNECTIONS = 20  # that all of them come to one worker's socket of two happens once in a million times


def statuses(server: Server) -> list[int]:
    """Of predictions, over a new connection each."""
    url = f"{server.client.base_url}/predict"
    return [httpx.post(url, json={"features": ROW}, timeout=20).status_code for _ in range(CONNECTIONS)]


def test_a_worker_without_its_bundle_leaves_the_answers_to_the_others(tmp_path: Path) -> None:
    arm = version_in(tmp_path, 1)
    publish(tmp_path, 1, arm)
    bundle, aside = tmp_path / "bundles" / arm.digest, tmp_path / "aside"
    with serving_state(tmp_path, "--workers", "2") as server:
        supervisor = psutil.Process(server.process.pid)
        server.client.close()
        eventually(lambda: statuses(server) == [200] * CONNECTIONS, what="both never answered")
        workers = worker_pids(supervisor)
        bundle.rename(aside)
        victim = min(workers)
        psutil.Process(victim).kill()
        eventually(lambda: len(worker_pids(supervisor) - {victim}) == 2, what="no replacement")
        time.sleep(2)  # in which it finds out that there is no bundle
        assert statuses(server) == [200] * CONNECTIONS
        aside.rename(bundle)
        [replacement] = worker_pids(supervisor) - workers
        eventually(lambda: has_answered(server, replacement), what="the bundle is back, the worker is not")


def worker_pids(supervisor: psutil.Process) -> set[int]:
    """Its living children that have its own program, and no other."""
    mine = supervisor.cmdline()
    children = [each for each in supervisor.children() if each.status() != psutil.STATUS_ZOMBIE]
    return {child.pid for child in children if child.cmdline() == mine}


def has_answered(server: Server, pid: int) -> bool:
    """Whether one of some new connections is this worker's; they must all be answered meanwhile."""
    address = f"{server.client.base_url}"
    clients = [httpx.Client(base_url=address) for _ in range(CONNECTIONS)]
    try:
        answers = [client.post("/predict", json={"features": ROW}, timeout=20) for client in clients]
        assert {answer.json()["prediction"] for answer in answers} == {ANSWER}
        return any(each.status == psutil.CONN_ESTABLISHED for each in psutil.Process(pid).net_connections())
    finally:
        for client in clients:
            client.close()
