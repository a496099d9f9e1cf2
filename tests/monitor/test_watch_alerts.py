"""From requests to a mail: a real server, the real watch beside it, and a real mail server."""

import time
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.monitor.mail_servers import sink
from tests.monitor.test_watch import soon, watch_of
from tests.monitor.watched import project_in
from tests.serve.published import serving_state
from tests.serve.servers import Server

FILE = """
[monitor]
look = "1s"
step = "2s"
metric = "accuracy"
floor = ">= 0.9"

[[alerts]]
signal = "predictions_since_training"
above = {above}
for = "{held}"
severity = "info"
advice = "Consider retraining: the model has answered {above} predictions since it was trained."

[notify.ops-mail]
kind = "mail"
to = ["ml-ops@example.com"]
smtp = "smtp://127.0.0.1:{port}"
"""
# Training had 6 of 10 from JFK, 3 from LGA and 1 from EWR, at distances of 0 to 100.
ORIGINS = ("JFK", "JFK", "LGA", "JFK", "EWR", "JFK", "LGA", "JFK", "LGA", "JFK")
AS_TRAINED = [{"distance": float(i * 37 % 101), "origin": ORIGINS[i % 10]} for i in range(400)]
SHIFTED = [{"distance": 90.0 + i % 10, "origin": "EWR"} for i in range(400)]


def ask(server: Server, rows: list[dict[str, object]]) -> list[str]:
    found: list[str] = server.batch(rows)["prediction_ids"]
    server.series()  # brings all counts into the ledgers
    return found


def test_drift_counts_and_quality_are_mailed_each_once(tmp_path: Path) -> None:
    with sink() as mails:
        folder = tmp_path / "flights"
        project = project_in(folder, more=FILE.format(above=1000, held="1s", port=mails.port))
        with serving_state(project.paths.state) as server, watch_of(folder):
            server.wait_until_ready()
            soon((project.paths.run / "watch.json").exists)
            ids = ask(server, AS_TRAINED)
            time.sleep(3)  # some looks at traffic as in training
            # The model is sealed with a date of long ago, and that is told.
            assert [told("model_age", [mail]) for mail in mails.mails] == [True]

            ids += ask(server, SHIFTED)
            soon(lambda: told("drift_alarm", mails.mails))
            ask(server, AS_TRAINED)
            soon(lambda: told("predictions_since_training", mails.mails))

            wrong = [{"prediction_id": each, "outcome": "no"} for each in ids]  # but for distances of 0
            assert server.client.post("/feedback", json=wrong).status_code == 200
            soon(lambda: told("quality_alarm", mails.mails))
            page = server.series()

    of_metric = '{metric="accuracy",version="7"}'
    assert page[f"ml_quality{of_metric}"] < 0.1
    assert page[f"ml_quality_low{of_metric}"] < page[f"ml_quality{of_metric}"]
    assert page[f"ml_quality_floor{of_metric}"] == 0.9
    assert page['ml_label_coverage{version="7"}'] == pytest.approx(800 / 1200)
    text = next(text_of(mail) for mail in mails.mails if told("drift_alarm", [mail]))
    assert "origin" in text, "which column"
    assert "siklus drift" in text, "what to do next"
    assert mails.readers[0] == ("ml-ops@example.com",)
    advice = [mail for mail in mails.mails if told("Consider retraining", [mail])]
    assert len(advice) == 1, "told once, however often one looks"


@pytest.mark.slow
def test_the_tutorials_rule_holds_for_a_minute_before_it_is_mailed(tmp_path: Path) -> None:
    """4,000 predictions, held for a minute: with the defaults of Siklus but for the mail's address."""
    with sink() as mails:
        folder = tmp_path / "flights"
        notify = FILE[FILE.index("[notify") :].format(port=mails.port)
        project = project_in(folder, more='[monitor]\nlook = "5s"\n' + notify)
        with serving_state(project.paths.state) as server, watch_of(folder):
            server.wait_until_ready()
            for _ in range(11):
                ask(server, AS_TRAINED)
            began = time.monotonic()
            while not told("predictions_since_training", mails.mails):
                assert time.monotonic() - began < 180
                time.sleep(0.5)
            assert time.monotonic() - began > 55


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def told(words: str, mails: Sequence[EmailMessage]) -> bool:
    """Whether one of the mails says that."""
    return any(words in text_of(mail) for mail in mails)
