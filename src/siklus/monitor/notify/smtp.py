"""Handing a mail to a mail server: encryption, login, and who of its readers the server has taken it for."""

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage

from siklus.monitor.notify.deadline import cut_off
from siklus.monitor.notify.receiver import NotSent
from siklus.project.notify import SmtpServer

SHOWN_CHARACTERS = 300  # of what a server says
ANSWERS = "a mail server that answers at that address"
TAKES = "a mail server that takes it: its words say what it minds"


@dataclass(frozen=True, kw_only=True)
class Post:
    """A mail server, and how it is spoken to. ``seconds``: of one whole exchange.

    ``password`` and ``context`` are asked for at each exchange.
    """

    server: SmtpServer
    starttls: str
    password: Callable[[], str] | None
    context: Callable[[], ssl.SSLContext]
    seconds: float

    def hand_over(self, message: EmailMessage, readers: Sequence[str]) -> Mapping[str, str]:
        """Those of ``readers`` for whom the server did not take it, with its words; the others have it.

        NotSent AL040 to AL046 when it took it for nobody.
        """
        smtp = self._connection()
        with self._said(), cut_off(self.seconds, lambda: smtp.sock):
            try:
                self._connect(smtp)
                return self._submit(smtp, message, readers)
            finally:
                smtp.close()

    def greet(self) -> None:
        """Connect, encrypt and log in as for a mail, and hand none over. NotSent AL040 to AL046."""
        smtp = self._connection()
        with self._said(), cut_off(self.seconds, lambda: smtp.sock):
            try:
                self._connect(smtp)
                code, said = smtp.noop()
                if code != 250:
                    raise smtplib.SMTPResponseException(code, said)
                smtp.quit()
            finally:
                smtp.close()

    def _connection(self) -> smtplib.SMTP:
        name = socket.gethostname()
        # The name that smtplib would ask name servers for, which may take them longer than all the rest.
        own = name if "." in name else "[127.0.0.1]"
        if self.server.tls:
            return smtplib.SMTP_SSL(timeout=self.seconds, context=self.context(), local_hostname=own)
        return smtplib.SMTP(timeout=self.seconds, local_hostname=own)

    def _connect(self, smtp: smtplib.SMTP) -> None:
        host = self.server.host
        smtp._host = host  # type: ignore[attr-defined]  # noqa: SLF001 - the name that TLS has to prove
        code, said = smtp.connect(host, self.server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
        smtp.ehlo_or_helo_if_needed()
        if not self.server.tls and self.starttls != "off":
            self._encrypt(smtp)
        if self.server.user is not None and self.password is not None:
            smtp.login(self.server.user, self.password())

    def _encrypt(self, smtp: smtplib.SMTP) -> None:
        if smtp.has_extn("starttls"):
            smtp.starttls(context=self.context())
            smtp.ehlo()
        elif self.starttls == "required" or self.server.user is not None:
            raise NotSent(
                "AL043",
                f"{self._where}: offers no encryption (STARTTLS)",
                expected="a server that does, or smtps://",
            )

    def _submit(self, smtp: smtplib.SMTP, message: EmailMessage, readers: Sequence[str]) -> Mapping[str, str]:
        try:
            refused = smtp.send_message(message, to_addrs=list(readers))
        except smtplib.SMTPRecipientsRefused as exc:
            refused = exc.recipients
            if len(refused) < len(readers):
                raise
        # It is the server's now, whatever becomes of the goodbye.
        with contextlib.suppress(smtplib.SMTPException, OSError):
            smtp.quit()
        return {reader: _words(code, said) for reader, (code, said) in refused.items()}

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        """What smtplib and the sockets raise, in our words."""
        try:
            yield
        except ssl.SSLEOFError as exc:
            raise self._hung_up() from exc
        except ssl.SSLError as exc:
            told = f"{self._where}: TLS: {getattr(exc, 'verify_message', '') or exc.reason or exc}"
            raise NotSent(
                "AL043", told, expected=f"a certificate of {self.server.host} that is trusted; `ca_file`"
            ) from exc
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError) as exc:
            told = f"{self._where}: login as {self.server.user!r}: {_reason(exc)}"
            raise NotSent("AL045", told, expected="a user and a password that it takes") from exc
        except (smtplib.SMTPServerDisconnected, TimeoutError, ConnectionResetError, BrokenPipeError) as exc:
            raise self._hung_up() from exc
        except smtplib.SMTPException as exc:
            raise NotSent("AL046", f"{self._where}: {_reason(exc)}", expected=TAKES) from exc
        except OSError as exc:
            raise NotSent("AL042", f"{self._where}: {exc.strerror or exc}", expected=ANSWERS) from exc

    def _hung_up(self) -> NotSent:
        told = f"{self._where}: hung up, or took longer than {self.seconds:g} s"
        return NotSent("AL044", told, expected=ANSWERS)

    @property
    def _where(self) -> str:
        return f"mail server {self.server.host}:{self.server.port}"


def _reason(exc: smtplib.SMTPException) -> str:
    match exc:
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=said):
            return _words(code, said)
        case smtplib.SMTPRecipientsRefused(recipients=refused):
            return "; ".join(f"{reader}: {_words(*answer)}" for reader, answer in refused.items())
        case _:
            return str(exc)


def _words(code: int, said: bytes | str) -> str:
    """`550 no such user`, on one line."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(f"{code} {text}".split())[:SHOWN_CHARACTERS]
