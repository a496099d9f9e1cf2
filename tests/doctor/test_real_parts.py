"""The checks over real ports, files, databases, mail servers and a Prometheus."""

import http.server
import json
import os
import shutil
import socket
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from siklus.doctor.case import Case
from siklus.doctor.examine import examine
from siklus.doctor.finding import Finding, ok
from siklus.doctor.locks import held_locks, holder
from siklus.files import lock
from siklus.records.segments import OpenSegment, SegmentName
from siklus.registry.control import open_control
from siklus.registry.journal import ENTRIES
from siklus.tracking.store import connect, sqlite_uri
from tests.cli.projects import siklus
from tests.deploy.programs import free_port, running_prometheus
from tests.doctor.patients import case_of, patient, seen, states, the
from tests.monitor.mail_servers import PASSWORD, USER, sink
from tests.monitor.notices import certified
from tests.serve.published import serving_state


def test_a_project_whose_parts_are_all_there_has_no_trouble(released: Path) -> None:
    found = siklus("doctor", "-C", released, "--json", SERVE__PORT=str(free_port()))
    document = json.loads(found.out)
    troubles = [each for each in document["findings"] if each["state"] == "trouble"]
    assert (found.code, troubles) == (0, [])
    said = {each["about"]: each["found"] for each in document["findings"]}
    assert said["traffic policy"] == "revision 1 is published, as decided"
    assert "every file as it was sealed" in said["bundles"]
    assert set(document["states"]) <= {"ok", "note", "unknown"}


@pytest.mark.slow
def test_tables_that_our_mlflow_makes_are_of_the_revision_that_ours_writes(tmp_path: Path) -> None:
    file = patient(tmp_path) / ".siklus" / "mlflow.db"
    connect(sqlite_uri(file))
    finding = the(seen(case_of(tmp_path), "tracking"))
    assert finding.state == "ok"
    assert "tables of revision" in finding.found


def test_without_a_project_the_machine_alone_is_looked_at(tmp_path: Path) -> None:
    found = siklus("doctor", "-C", tmp_path)
    assert found.code == 0, found.out
    assert "only the machine was looked at" in found.out
    assert "disk" in found.out
    assert "database" not in found.out


def test_a_broken_project_file_is_a_finding_and_no_end(tmp_path: Path) -> None:
    (patient(tmp_path) / "siklus.toml").write_text("[project]\nname = broken\n")
    found = siklus("doctor", "-C", tmp_path)
    assert (found.code, found.err) == (1, "")
    assert "PJ002" in found.out
    assert "disk" in found.out


def test_each_cure_stands_below_what_it_is_for(tmp_path: Path) -> None:
    """With the value and the command; and exit code 1, since there is trouble."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = siklus("doctor", "-C", patient(tmp_path, f"[serve]\nport = {port}\n"))
    lines = found.out.splitlines()
    at = next(place for place, line in enumerate(lines) if f"port {port}" in line)
    assert found.code == 1
    assert lines[at].startswith("trouble")
    assert f"process {os.getpid()}" in lines[at]
    assert lines[at + 1].strip().startswith("mend: another [serve] port")


def test_a_free_port_is_free_and_one_of_another_machine_is_not(tmp_path: Path) -> None:
    free = patient(tmp_path / "free", f"[serve]\nport = {free_port()}\n")
    assert the(seen(case_of(free), "ports")).state == "ok"
    foreign = patient(tmp_path / "foreign", '[serve]\nhost = "192.0.2.1"\n')  # RFC 5737: nobody's
    assert "no address of this machine" in the(seen(case_of(foreign), "ports")).found


def test_a_socket_file_that_nobody_listens_at_is_noted(tmp_path: Path) -> None:
    folder = patient(tmp_path / "p", '[serve]\nuds = "s.sock"\n')
    assert the(seen(case_of(folder), "ports")).state == "ok"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "s.sock"))
    assert the(seen(case_of(folder), "ports")).state == "note"


def test_a_server_of_this_project_is_known_by_its_port(released: Path) -> None:
    with serving_state(released / ".siklus") as server:
        case = case_of(released, SIKLUS_SERVE__PORT=str(server.port))
        assert "this project's server" in the(seen(case, "ports")).found
        assert "of the server" in seen(case, "processes")[0].found


def test_a_bundle_that_was_touched_is_trouble(released: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(released, tmp_path / "line"))
    assert states(seen(case_of(own), "served")) == ["ok", "ok"]
    (model,) = (own / ".siklus" / "bundles").glob("*/model.onnx")
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    found = seen(case_of(own), "served")
    assert states(found) == ["ok", "trouble"]
    assert "BN005" in found[1].found


def test_keys_that_others_can_read_are_trouble(tmp_path: Path) -> None:
    state = patient(tmp_path) / ".siklus"
    state.mkdir()
    (state / "secret.key").write_bytes(bytes(32))
    (state / "secret.key").chmod(0o644)
    finding = the(seen(case_of(tmp_path), "permissions"))
    assert finding.mend == f"`chmod 600 {state / 'secret.key'}`"
    (state / "secret.key").chmod(0o600)
    assert the(seen(case_of(tmp_path), "permissions")).state == "ok"


def test_a_lock_is_seen_without_being_touched(tmp_path: Path) -> None:
    file = tmp_path / "train.lock"
    with lock(file, what="a training"):
        assert holder(file, held_locks()) == os.getpid()
    assert holder(file, held_locks()) is None


def test_a_training_that_runs_is_named(tmp_path: Path) -> None:
    run = patient(tmp_path) / ".siklus" / "run"
    run.mkdir(parents=True)
    with lock(run / "train.lock", what="a training"):
        found = seen(case_of(tmp_path), "processes")
    # This process is the tests', and no program of Siklus by its name.
    assert any(f"process {os.getpid()}" in each.found for each in found)
    assert states(seen(case_of(tmp_path), "processes")) == ["note"]


def test_a_segment_whose_writer_died_is_noted(tmp_path: Path) -> None:
    folder = patient(tmp_path) / ".siklus" / "records" / "predictions"
    folder.mkdir(parents=True)
    segment = OpenSegment(folder, SegmentName("0-1700000000000000", 0), opened=1.7e9)
    segment.append((0, b"a record"))
    assert the(seen(case_of(tmp_path), "log")).state == "ok"
    segment.let_go()
    assert "1 segment of writers that died" in the(seen(case_of(tmp_path), "log")).found


def test_a_control_file_is_asked_and_a_broken_one_told(tmp_path: Path) -> None:
    file = patient(tmp_path) / ".siklus" / "control.db"
    assert the(seen(case_of(tmp_path), "database")).state == "note"  # not there yet
    with open_control(None, file=file) as control:
        control.ensure(ENTRIES)
    assert "1 tables" in the(seen(case_of(tmp_path), "database")).found
    with sqlite3.connect(file) as database:
        database.execute("ALTER TABLE journal DROP COLUMN author")
    assert "journal.author" in the(seen(case_of(tmp_path), "database")).found
    file.write_bytes(b"no database" * 100)
    assert the(seen(case_of(tmp_path), "database")).state == "trouble"


def test_a_postgresql_is_asked_for_its_pace_rights_and_clock(tmp_path: Path, postgres: str) -> None:
    case = case_of(patient(tmp_path, f'[state]\ncontrol = "{postgres}"\n'))
    assert seen(case, "lease") == []
    assert states(seen(case, "served")) == ["note"]
    assert "0 tables" in the(seen(case, "database")).found  # to look has made none
    assert the(seen(case, "clock")).found.endswith("agrees with the control database")
    reader = postgres.replace("siklus@", "reader@")
    with open_control(postgres, file=tmp_path / "unused") as control, control.transaction() as connection:
        control.ensure(ENTRIES)
        connection.exec_driver_sql("CREATE ROLE reader LOGIN")
    refused = case_of(patient(tmp_path / "reader", f'[state]\ncontrol = "{reader}"\n'))
    assert "may not write journal" in the(seen(refused, "database")).found


def test_a_database_that_is_gone_is_told_and_nothing_hangs(tmp_path: Path) -> None:
    case = case_of(patient(tmp_path, f'[state]\ncontrol = "postgresql://x@127.0.0.1:{free_port()}/y"\n'))
    finding = the(seen(case, "database"))
    assert finding.state == "trouble"
    assert "RG010" in finding.found


def test_a_mail_server_is_greeted_and_gets_no_mail(tmp_path: Path) -> None:
    certificate, _key = papers = certified(tmp_path)
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    with sink(papers, login=True) as server:
        section = _mail(server.port, user=USER, ca=certificate)
        case = case_of(patient(tmp_path / "p", section))
        finding = the(seen(case, "mail"))
        assert finding.state == "ok", finding
        assert "login as ops@example.com" in finding.found
        (tmp_path / "password").write_text("wrong")
        assert "AL045" in the(seen(case, "mail")).found
    assert (server.mails, server.users) == ([], [USER])


def test_only_when_asked_a_test_mail_is_sent(tmp_path: Path) -> None:
    with sink() as server:
        folder = patient(tmp_path, _mail(server.port))
        assert the(seen(case_of(folder), "mail")).state == "ok"
        assert server.mails == []
        assert "took a test mail" in the(seen(case_of(folder, mail=True), "mail")).found
    assert [str(mail["To"]) for mail in server.mails] == ["ops@example.com"]


def test_a_mail_server_that_is_not_there_is_trouble(tmp_path: Path) -> None:
    finding = the(seen(case_of(patient(tmp_path, _mail(free_port()))), "mail"))
    assert finding.state == "trouble"
    assert "AL042" in finding.found


def test_a_webhook_is_reached_and_nothing_posted(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/hooks/secret"
        case = case_of(patient(tmp_path, '[notify.chat]\nkind = "webhook"\nurl_env = "HOOK"\n'), HOOK=url)
        finding = the(seen(case, "services"))
        assert finding.state == "ok"
        assert "secret" not in finding.found
        caller, _ = listening.accept()
        with caller:
            assert caller.recv(10) == b""
    assert the(seen(case, "services")).state == "trouble"
    assert "AL040" in the(seen(case_of(tmp_path), "services")).found  # the variable is not set


@pytest.mark.slow
def test_a_prometheus_is_asked_for_targets_and_rules(tmp_path: Path) -> None:
    folder = patient(tmp_path / "p", f"[serve]\nport = {free_port()}\n")
    assert siklus("deploy", "prometheus", "-C", folder, "--every", "1s").code == 0
    with running_prometheus(folder / "deploy" / "prometheus", tmp_path / "data") as prometheus:
        url = str(prometheus.client.base_url).rstrip("/")
        case = case_of(folder, SIKLUS_MONITOR__PROMETHEUS=url)
        prometheus.until('up{job="line"}')
        finding = the(seen(case, "prometheus"))
        assert finding.state == "trouble"
        assert "1 of 1 servers of job 'line' are down" in finding.found
        other = case_of(folder, SIKLUS_MONITOR__PROMETHEUS=url, SIKLUS_PROJECT__NAME="another")
        assert states(seen(other, "prometheus")) == ["trouble", "note"]


def test_a_tracking_server_is_asked_for_health_version_and_clock(tmp_path: Path) -> None:
    with _mlflow("2.1.0") as url:
        case = case_of(patient(tmp_path, f'[state]\ntracking_uri = "{url}"\n'))
        finding = the(seen(case, "tracking"))
        assert finding.state == "note"
        assert "MLflow 2.1.0" in finding.found
        assert the(seen(case, "clock")).found.endswith("agrees with the tracking server")


def test_a_check_that_hangs_is_unknown_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    release = threading.Event()

    def hangs(_case: Case) -> Sequence[Finding]:
        release.wait(30)
        return []

    def fails(_case: Case) -> Sequence[Finding]:
        raise ZeroDivisionError("unforeseen")

    checks = {"hangs": hangs, "fails": fails, "good": lambda _case: [ok("good", "is good")]}
    found = examine(Case(folder=tmp_path, environment={}), checks, seconds=0.3)
    release.set()
    assert [(name, each.state) for name, each in found] == [
        ("hangs", "unknown"),
        ("fails", "unknown"),
        ("good", "ok"),
    ]


def _mail(port: int, *, user: str | None = None, ca: Path | None = None) -> str:
    login = "" if user is None else f"{user.replace('@', '%40')}@"
    more = "" if ca is None else f'password_file = "../password"\nca_file = "{ca}"\n'
    return f'[notify.ops]\nkind = "mail"\nto = ["ops@example.com"]\nsmtp = "smtp://{login}localhost:{port}"\n{more}'


@contextmanager
def _mlflow(version: str) -> Iterator[str]:
    """A server that answers what MLflow's does: `OK` and its version."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"OK" if self.path == "/health" else version.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_given: object) -> None:
            """Nothing on stderr."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
