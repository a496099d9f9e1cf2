"""Passwords, tokens and webhooks' URLs: read when they are needed, so that a new one counts at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from siklus.monitor.notify.receiver import NotSent


@dataclass(frozen=True, kw_only=True)
class Secret:
    """Where a secret lies: a file, or a variable of the environment. ``what``: "password", in messages."""

    what: str
    file: Path | None = None
    variable: str | None = None
    environment: Mapping[str, str]

    def read(self) -> str:
        """Without the blanks and the newline around it. NotSent AL040 when it is not there, or is empty."""
        if self.file is not None:
            where, found = str(self.file), self._of_file(self.file)
        else:
            where, found = f"${self.variable}", self.environment.get(self.variable or "", "")
        secret = found.strip()
        # A header or a command of SMTP ends at a newline, and what follows would be another one.
        if not secret or not secret.isprintable():
            problem = "is empty or not set" if not secret else "holds more than one line of text"
            raise NotSent("AL040", f"{where}: {problem}", expected=f"the {self.what}")
        return secret

    def _of_file(self, file: Path) -> str:
        try:
            return file.read_text()
        except (OSError, UnicodeDecodeError) as exc:
            reason = getattr(exc, "strerror", None) or "not text"
            raise NotSent("AL040", f"{file}: {reason}", expected=f"a file with the {self.what}") from exc
