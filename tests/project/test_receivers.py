"""[notify.NAME]: what is wrong in it is named, and no secret gets into a message or out in the clear."""

from pathlib import Path

import pytest

from siklus.project.notify import GitHub, Log, Mail, SmtpServer, Webhook
from tests.project.test_file import HEAD, read, refusal

MAIL = '[notify.ops]\nkind = "mail"\nto = ["ops@example.com"]\n'
HOOK = '[notify.chat]\nkind = "webhook"\n'
TRAIN = '[notify.train]\nkind = "github"\nrepository = "acme/flights"\n'


def test_each_kind_is_read_under_its_name(tmp_path: Path) -> None:
    text = (
        MAIL
        + 'smtp = "smtp://ops%40example.com@mail.example.com:587"\npassword_env = "P"\n'
        + HOOK
        + 'url_env = "HOOK"\n'
        + TRAIN
        + 'token_file = "token"\n[notify.log]\nkind = "log"\n'
    )
    found = read(tmp_path, HEAD + text).notify
    assert [type(receiver) for receiver in found.values()] == [Mail, Webhook, GitHub, Log]
    assert list(found) == ["ops", "chat", "train", "log"]


def test_nobody_has_to_be_declared(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD).notify == {}


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://localhost", SmtpServer(host="localhost", port=25, user=None, tls=False)),
        (
            "smtp://me@mail.example.com:587",
            SmtpServer(host="mail.example.com", port=587, user="me", tls=False),
        ),
        (
            "smtps://me%40x.org@mail.example.com",
            SmtpServer(host="mail.example.com", port=465, user="me@x.org", tls=True),
        ),
        ("smtp://[::1]:2525", SmtpServer(host="::1", port=2525, user=None, tls=False)),
    ],
)
def test_an_smtp_url_says_where_and_who(url: str, server: SmtpServer) -> None:
    assert Mail(to=("ops@example.com",), smtp=url).server == server


@pytest.mark.parametrize(
    ("text", "code", "place", "message", "expected"),
    [
        ("[notify.Ops]\n", "PJ004", 8, "a receiver named 'Ops'", "lower-case"),
        ('[notify."a b"]\n', "PJ004", 8, "a receiver named 'a b'", "lower-case"),
        ("[notify]\nops = 5\n", "PJ004", 9, "[notify.ops] = 5", "a section"),
        ("[notify.ops]\n", "PJ005", 8, "[notify.ops] has no kind", "mail, webhook, github, log"),
        ('[notify.ops]\nkind = "mial"\n', "PJ004", 9, "kind = 'mial'", "'mail'?"),
        ('[notify.ops]\nkind = ["mail"]\n', "PJ004", 9, "kind = ['mail']", "mail"),
        ('[notify.ops]\nkind = "mail"\n', "PJ005", 8, "[notify.ops] has no to", "to = …"),
        (MAIL + 'form = "a@b"\n', "PJ003", 11, "[notify.ops] unknown key 'form'", "one of"),
        (MAIL + 'passwort_env = "P"\n', "PJ003", 11, "unknown key 'passwort_env'", "'password_env'?"),
        (MAIL + 'starttls = "yes"\n', "PJ004", 11, 'starttls = "yes"', "'auto', 'off', 'required'"),
        (MAIL + 'timeout = "soon"\n', "PJ004", 11, 'timeout = "soon"', "a duration"),
        (MAIL + 'smtp = "mail.example.com:25"\n', "PJ014", 8, "smtp = 'mail.example.com:25'", "smtp://"),
        (MAIL + 'smtp = "smtp://mail..com"\n', "PJ014", 8, "smtp = 'smtp://mail..com'", "smtp://"),
        (MAIL + 'smtp = "http://mail.example.com"\n', "PJ014", 8, "smtp = ", "smtp://"),
        (MAIL + 'smtp = "smtp://mail.example.com:x"\n', "PJ014", 8, "smtp = ", "smtp://"),
        (MAIL + 'smtp = "smtp://me@mail.example.com"\n', "PJ014", 8, "as 'me' with no password", "one of"),
        (MAIL + 'password_env = "P"\n', "PJ014", 8, "a password and no user", "USER"),
        (HOOK, "PJ014", 8, "is given no URL", "url_env"),
        (HOOK + 'url_env = "A"\nurl_file = "b"\n', "PJ014", 8, "given url_file and url_env", "one of"),
        (HOOK + 'url = "http://chat.example.com/x"\n', "PJ014", 8, "plain http to another machine", "https"),
        (HOOK + 'url = "chat.example.com"\n', "PJ014", 8, "is no http or https URL", "https"),
        (TRAIN, "PJ014", 8, "is given no token", "token_env"),
        (TRAIN + 'token_env = "T"\napi = "http://github.example.com"\n', "PJ014", 8, "plain http", "https"),
        (TRAIN.replace("acme/", ""), "PJ004", 10, 'repository = "flights"', "owner/name"),
        (TRAIN + 'event_type = "a b"\n', "PJ004", 11, 'event_type = "a b"', "letters"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    text: str, code: str, place: int, message: str, expected: str, tmp_path: Path
) -> None:
    error = refusal(tmp_path, HEAD + text)
    assert error.code == code
    assert error.message.startswith(f"{tmp_path / 'siklus.toml'}:{place}: ")
    assert message in error.message
    assert expected in (error.expected or "")


@pytest.mark.parametrize(
    "address",
    [
        "ops",
        "ops@",
        "ops.@example.com",
        ".ops@example.com",
        "o..ps@example.com",
        "ops@example..com",
        "ops@example.com.",
        f"{'o' * 65}@example.com",
        f"ops@{'e' * 64}.com",
        "@example.com",
        "a b@example.com",
        "ops@example.com\\nBcc: x@y.z",
        "ops@example.com\\n",
        "Ops <o@x.y>",
        "ö@x.org",
    ],
)
def test_an_address_is_an_address_and_no_header(address: str, tmp_path: Path) -> None:
    to = refusal(tmp_path, f'{HEAD}[notify.ops]\nkind = "mail"\nto = ["{address}"]\n')
    sender = refusal(tmp_path, f'{HEAD}{MAIL}sender = "{address}"\n')
    assert (to.code, sender.code) == ("PJ004", "PJ004")
    assert "an address such as ops@example.com" in (to.expected or "")


@pytest.mark.parametrize(
    "setting",
    [
        'smtp = "smtp://me:s3cret@mail.example.com"',
        'smtp = "smtp://me:s3cret@mail example.com"',
        'smtp = "smtp//me:s3cret@mail.example.com"',
    ],
)
def test_a_password_in_the_file_is_refused_and_not_repeated(setting: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, f"{HEAD}{MAIL}{setting}\n")
    assert (error.code, "s3cret" in str(error)) == ("PJ014", False)


def test_a_webhooks_url_is_not_repeated(tmp_path: Path) -> None:
    error = refusal(tmp_path, f'{HEAD}{HOOK}url = "http://hooks.example.com/s3cret"\n')
    assert "s3cret" not in str(error)


@pytest.mark.parametrize(
    ("host", "refused"), [("127.0.0.1", False), ("localhost", False), ("mail.example.com", True)]
)
def test_a_password_goes_in_the_clear_to_this_machine_only(host: str, refused: bool, tmp_path: Path) -> None:
    text = f'{HEAD}{MAIL}smtp = "smtp://me@{host}"\npassword_env = "P"\nstarttls = "off"\n'
    if refused:
        assert "in the clear" in refusal(tmp_path, text).message
    else:
        assert "ops" in read(tmp_path, text).notify


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/x", "http://localhost/x", "http://[::1]/x", "https://chat.example.com/x"]
)
def test_a_webhook_is_spoken_to_safely_or_on_this_machine(url: str, tmp_path: Path) -> None:
    assert read(tmp_path, f'{HEAD}{HOOK}url = "{url}"\n').notify["chat"] == Webhook(url=url)


def test_plain_http_to_another_machine_has_to_be_wanted(tmp_path: Path) -> None:
    text = f'{HEAD}{HOOK}url = "http://chat.example.com/x"\ninsecure = true\n'
    assert read(tmp_path, text).notify["chat"] == Webhook(url="http://chat.example.com/x", insecure=True)


def test_the_environment_overrides_receivers_too(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + MAIL, {"SIKLUS_NOTIFY__OPS__SMTP": "smtp://other:2525"}).notify["ops"]
    assert isinstance(found, Mail)
    assert found.server.port == 2525
    error = refusal(tmp_path, HEAD + MAIL, {"SIKLUS_NOTIFY__OPS__TIMEOUT": "x"})
    assert error.message.startswith("SIKLUS_NOTIFY__OPS__TIMEOUT: [notify.ops] timeout")


@pytest.mark.parametrize("address", ["root@localhost", "a.b+c'd@x-y.example.com", f"{'o' * 64}@example.com"])
def test_addresses_that_mail_programs_know_are_taken(address: str, tmp_path: Path) -> None:
    found = read(tmp_path, f'{HEAD}[notify.ops]\nkind = "mail"\nto = ["{address}"]\n').notify["ops"]
    assert found == Mail(to=(address,))
