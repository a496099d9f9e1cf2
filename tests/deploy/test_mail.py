"""From a request to a mail, through a real Prometheus and a real Alertmanager: fired, resolved, silenced."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.deploy.programs import (
    check,
    eventually,
    free_port,
    program,
    running_alertmanager,
    running_prometheus,
)
from tests.deploy.projects import deployed, hurried, project
from tests.figures import Figure
from tests.serve.bundles import regressor
from tests.serve.servers import Server, serving_bundle

ENOUGH = 40  # of the tutorials' 4,000 predictions
ADVICE = "Consider retraining: the model has answered 40 predictions since it was trained."
PROJECT = """
[notify.ops-mail]
kind = "mail"
to = ["ml-ops@example.com", "on-call@example.com"]
smtp = "smtp://127.0.0.1:{port}"

[[alerts]]
signal = "predictions_since_training"
above = {enough}
for = "1s"
notify = ["ops-mail"]
advice = "{advice}"
"""


class Letterbox:
    """What a mail server has been given."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.readers: list[str] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        assert isinstance(envelope.content, bytes)
        mail: Any = message_from_bytes(envelope.content, policy=policy.default)
        self.mails.append(mail)
        self.readers += envelope.rcpt_tos
        return "250 taken"


@contextmanager
def letterbox(port: int) -> Iterator[Letterbox]:
    found = Letterbox()
    controller = Controller(found, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield found
    finally:
        controller.stop()


def _asked(server: Server) -> float:
    """Ask more often than the rule allows; when that was done."""
    for row in range(ENOUGH + 1):
        server.predict([row, 1])
    return time.monotonic()


def _advises(mail: EmailMessage) -> None:
    assert mail["Subject"] == "flights: predictions_since_training"
    text = "".join(part.get_content() for part in mail.walk() if not part.is_multipart())
    assert ADVICE in text
    assert f"predictions_since_training is 41 rows, above {ENOUGH}" in text
    assert "True since 20" in text


def _states(alertmanager: httpx.Client) -> list[str]:
    alerts = alertmanager.get("/api/v2/alerts").json()
    return [alert["status"]["state"] for alert in alerts]


def _silence(url: object, cwd: Path) -> None:
    words = [
        "silence",
        "add",
        "job=flights",
        "--comment",
        "we know",
        "--author",
        "a test",
        "--duration",
        "1h",
    ]
    check(program("amtool"), *words, f"--alertmanager.url={url}", cwd=cwd)


def test_the_tutorials_rule_mails_resolves_and_is_silenced(tmp_path: Path, figure: Figure) -> None:
    smtp, server, manager = free_port(), free_port(), free_port()
    folder = project(tmp_path, PROJECT.format(port=smtp, enough=ENOUGH, advice=ADVICE))
    scraped = ("--target", f"127.0.0.1:{server}", "--alertmanager", f"127.0.0.1:{manager}", "--every", "1s")
    rules = hurried(deployed(folder, "prometheus", *scraped))
    routes = hurried(deployed(folder, "alertmanager", "--group-wait", "1s", "--group-interval", "1s"))
    check(program("amtool"), "check-config", "alertmanager.yml", cwd=routes)
    bundle = regressor(tmp_path / "bundle")
    with (
        letterbox(smtp) as box,
        running_alertmanager(routes, tmp_path / "alerts", port=manager) as alertmanager,
        running_prometheus(rules, tmp_path / "data"),
    ):
        with serving_bundle(bundle, "--version", "1", "--port", str(server)) as first:
            began = _asked(first)
            mail = eventually(lambda: box.mails, lambda mails: len(mails) > 0)[0]
            figure("from the request that was too many to the mail", f"{time.monotonic() - began:.1f} s")
            _advises(mail)
            assert {"ml-ops@example.com", "on-call@example.com"} <= set(box.readers)
        # A version that was trained since has answered nothing yet.
        with serving_bundle(bundle, "--version", "2", "--port", str(server)) as second:
            eventually(lambda: box.mails, lambda mails: "Over" in str(mails[-1]["Subject"]))
            told = len(box.mails)
            _silence(alertmanager.base_url, tmp_path)
            _asked(second)
            eventually(lambda: _states(alertmanager), lambda states: "suppressed" in states)
            time.sleep(1)  # five times as long as a group waits
            assert len(box.mails) == told
