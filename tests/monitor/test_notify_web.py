"""Webhooks and GitHub get exactly the request that they ask for, and nothing goes anywhere else."""

import json
import time
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from siklus.monitor.notify.receiver import NotSent
from siklus.project.notify import GitHub, Receiver, Webhook
from tests.monitor.mail_servers import Line, scripted
from tests.monitor.notices import NOW, PATIENCE_SECONDS, certified, event, free_port, notification, sender
from tests.monitor.web_services import Reply, service

SECRET = "T0/B0/s3cr3t"
TOKEN = "ghp_secret"


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certified(tmp_path_factory.mktemp("tls"))


def refusal(settings: Receiver, root: Path, environment: dict[str, str] | None = None) -> NotSent:
    with pytest.raises(NotSent) as caught:
        sender(settings, root, environment).send(notification())
    return caught.value


def github(api: str) -> GitHub:
    return GitHub(repository="acme/flights", token_env="TOKEN", api=api, timeout="1s")


def test_a_webhook_gets_what_slack_and_mattermost_show(tmp_path: Path) -> None:
    with service() as found:
        sender(Webhook(url=f"{found.url}/hooks/{SECRET}?a=b"), tmp_path).send(notification())
    [posted] = found.posted
    assert (posted.path, posted.headers["Content-Type"]) == (f"/hooks/{SECRET}?a=b", "application/json")
    assert posted.document["text"] == "[flights] retraining advised: 4,031 predictions since training"
    [attachment] = posted.document["attachments"]
    assert attachment["title"] == "retraining advised: 4,031 predictions since training"
    assert "above its limit of 4,000" in attachment["text"]
    assert [field["title"] for field in attachment["fields"]] == ["How sure is that?", "What to do next"]
    assert "`siklus train`" in attachment["fields"][1]["value"]


def test_words_of_data_mention_nobody_in_a_chat(tmp_path: Path) -> None:
    hostile = event(
        signal="unseen_share", label="<!channel> @all <http://evil|here>", value=0.5, threshold=0.05
    )
    with service() as found:
        sender(Webhook(url=found.url), tmp_path).send(notification(hostile))
    text = json.dumps(found.posted[0].document, ensure_ascii=False)
    assert "&lt;!channel&gt;" in text
    assert not any(mark in text for mark in ("<!channel>", "@all", "<http"))


def test_an_alert_that_is_over_is_shown_as_such(tmp_path: Path) -> None:
    with service() as found:
        sender(Webhook(url=found.url), tmp_path).send(notification(event(state="resolved", value=12.0)))
    assert found.posted[0].document["text"] == "[flights] resolved: predictions_since_training"
    assert found.posted[0].document["attachments"][0]["fields"] == []


def test_many_alerts_are_told_together_up_to_a_number(tmp_path: Path) -> None:
    events = [event(signal="unseen_share", rule="unseen_share", label=f"c{i}", value=0.5) for i in range(200)]
    with service() as found:
        sender(Webhook(url=found.url), tmp_path).send(notification(*events))
    document = found.posted[0].document
    assert document["text"].endswith("(and 199 more)")
    assert len(document["attachments"]) == 21
    assert document["attachments"][-1]["text"] == "And 180 more: `siklus alerts` lists all."


@pytest.mark.parametrize("way", ["url_file", "url_env"])
def test_the_url_may_come_from_a_file_or_the_environment(way: str, tmp_path: Path) -> None:
    with service() as found:
        (tmp_path / "HOOK").write_text(f"{found.url}/hook\n")
        sender(Webhook(**{way: "HOOK"}), tmp_path, {"HOOK": f"{found.url}/hook"}).send(notification())
    assert [posted.path for posted in found.posted] == ["/hook"]


@pytest.mark.parametrize(
    "url",
    ["http://chat.example.com/x", "ftp://127.0.0.1/x", "https://u:p@127.0.0.1/", "http://127.0.0.1:99999/"],
)
def test_a_url_from_elsewhere_is_held_to_the_same_rules(url: str, tmp_path: Path) -> None:
    caught = refusal(Webhook(url_env="HOOK"), tmp_path, {"HOOK": url})
    assert (caught.code, url in str(caught)) == ("AL040", False)


def test_https_is_only_spoken_with_who_proves_who_it_is(papers: tuple[Path, Path], tmp_path: Path) -> None:
    with service(papers) as found:
        stranger = refusal(Webhook(url=f"{found.url}/{SECRET}"), tmp_path)
        sender(Webhook(url=found.url, ca_file=str(papers[0])), tmp_path).send(notification())
    assert (stranger.code, "self-signed" in stranger.message, SECRET in str(stranger)) == (
        "AL043",
        True,
        False,
    )
    assert len(found.posted) == 1


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"Retry-After": "42"}, 42.0),
        ({"Retry-After": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, 90.0),
        ({"Retry-After": "999999999"}, 3600.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
    ],
)
def test_who_says_when_to_come_back_is_listened_to(
    headers: dict[str, str], wait: float | None, tmp_path: Path
) -> None:
    with service() as found:
        found.replies.append(Reply(status=429, headers=headers, body=f"slow down, {SECRET}".encode()))
        caught = refusal(Webhook(url=f"{found.url}/{SECRET}"), tmp_path)
    assert (caught.code, caught.retry_after, SECRET in str(caught)) == ("AL047", wait, False)
    assert "answered 429 Too Many Requests: 'slow down, …'" in caught.message


def test_a_service_that_fails_is_quoted(tmp_path: Path) -> None:
    with service() as found:
        found.replies += [Reply(status=500, body=b"oh\nno" + b"!" * 10_000), Reply(status=599)]
        first, second = (refusal(Webhook(url=found.url), tmp_path) for _ in range(2))
    assert "answered 500 Internal Server Error: 'oh no!!" in first.message
    assert len(first.message) < 400
    assert (first.code, second.code) == ("AL047", "AL047")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_takes_a_notification_elsewhere(status: int, tmp_path: Path) -> None:
    with service() as elsewhere, service() as found:
        found.replies.append(Reply(status=status, headers={"Location": f"{elsewhere.url}/{SECRET}"}))
        caught = refusal(Webhook(url=found.url), tmp_path)
    assert (caught.code, elsewhere.posted, SECRET in str(caught)) == ("AL048", [], False)


@pytest.mark.parametrize("safely", [False, True], ids=["http", "https"])
def test_a_service_that_takes_too_long_is_left(
    safely: bool, papers: tuple[Path, Path], tmp_path: Path
) -> None:
    with service(papers if safely else None) as found:
        found.replies.append(Reply(seconds=60.0))
        begun = time.monotonic()
        caught = refusal(Webhook(url=found.url, ca_file=str(papers[0]), timeout="1s"), tmp_path)
        assert time.monotonic() - begun < PATIENCE_SECONDS
    assert caught.code == "AL044"


@pytest.mark.parametrize("answer", [[b"HTTP/1.1 ", *([b".", 0.3] * 200)], ["bye"]])
def test_an_answer_that_never_ends_is_none(answer: list[Line], tmp_path: Path) -> None:
    with scripted(answer, {}) as port:
        begun = time.monotonic()
        caught = refusal(Webhook(url=f"http://127.0.0.1:{port}", timeout="1s"), tmp_path)
        assert time.monotonic() - begun < PATIENCE_SECONDS
    assert caught.code == "AL044"


@pytest.mark.parametrize("safely", [False, True], ids=["http", "https"])
def test_who_has_said_yes_may_mumble_on(safely: bool, papers: tuple[Path, Path], tmp_path: Path) -> None:
    with service(papers if safely else None) as found:
        found.replies.append(Reply(body=b"." * 1000, trickle=0.2))
        begun = time.monotonic()
        webhook = Webhook(url=found.url, ca_file=str(papers[0]), timeout="1s")
        sender(webhook, tmp_path).send(notification())
        assert time.monotonic() - begun < PATIENCE_SECONDS


def test_a_port_where_nobody_listens_is_said(tmp_path: Path) -> None:
    caught = refusal(Webhook(url=f"http://127.0.0.1:{free_port()}/{SECRET}"), tmp_path)
    assert (caught.code, caught.message) == ("AL042", "127.0.0.1: Connection refused")


def test_github_is_asked_as_its_reference_says(tmp_path: Path) -> None:
    with service() as found:
        found.replies.append(Reply(status=204, body=b""))
        sender(github(f"{found.url}/api/v3/"), tmp_path, {"TOKEN": TOKEN}).send(notification())
    [posted] = found.posted
    assert posted.path == "/api/v3/repos/acme/flights/dispatches"
    assert {
        name: posted.headers[name]
        for name in ("Accept", "Authorization", "X-GitHub-Api-Version", "User-Agent")
    } == {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {TOKEN}",
        "X-GitHub-Api-Version": "2022-11-28",
        "User-Agent": "siklus",
    }
    assert posted.document == {
        "event_type": "siklus-alert",
        "client_payload": {
            "project": "flights",
            "summary": "[flights] retraining advised: 4,031 predictions since training",
            "status": "firing",
            "time": "2026-01-31T12:00:00+00:00",
            "notification": 7,
            "test": False,
            "events": [
                {
                    "rule": "predictions_since_training",
                    "signal": "predictions_since_training",
                    "label": "",
                    "state": "firing",
                    "value": 4031.0,
                    "threshold": 4000.0,
                    "severity": "info",
                    "since": "2026-01-31T11:58:00+00:00",
                }
            ],
        },
    }


def test_what_github_is_sent_stays_within_its_limits(tmp_path: Path) -> None:
    events = [event(signal="unseen_share", label="x" * 300, value=0.5) for _ in range(1000)]
    with service() as found:
        sender(github(found.url), tmp_path, {"TOKEN": TOKEN}).send(notification(*events))
    payload = found.posted[0].document["client_payload"]
    assert 100 < len(payload["events"]) < 1000
    assert len(json.dumps(payload)) < 65_536
    assert len(payload) <= 10


def test_what_github_minds_is_quoted_without_the_token(tmp_path: Path) -> None:
    with service() as found:
        found.replies.append(Reply(status=401, body=f'{{"message": "Bad credentials {TOKEN}"}}'.encode()))
        caught = refusal(github(found.url), tmp_path, {"TOKEN": TOKEN})
        missing = refusal(github(found.url), tmp_path)
        forged = refusal(github(found.url), tmp_path, {"TOKEN": "x\r\nHost: evil"})
    assert (caught.code, "Bad credentials" in caught.message, TOKEN in str(caught)) == ("AL047", True, False)
    assert (missing.code, forged.code, len(found.posted)) == ("AL040", "AL040", 1)
