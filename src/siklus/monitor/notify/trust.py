"""Whose certificates are trusted: the system's, and those of a file beside them."""

import ssl
from pathlib import Path

from siklus.monitor.notify.receiver import NotSent


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Certificates and host names are always checked. NotSent AL041 for a file that holds no certificates."""
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as exc:
            raise NotSent(
                "AL041", f"ca_file {ca_file}: {exc.strerror or exc}", expected="certificates in PEM form"
            ) from exc
    return context
