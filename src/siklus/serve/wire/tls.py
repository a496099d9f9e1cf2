"""TLS: the server's certificate and its key, looked at before anything listens."""

import ssl
from pathlib import Path

from siklus.errors import ServeError
from siklus.project.sections import Serve


def tls_of(settings: Serve) -> ssl.SSLContext | None:
    """The context for `[serve] tls_certificate` and `tls_key`, or None where neither is set.

    TLS 1.2 and 1.3. ServeError SV012 for a file that is missing, unreadable, encrypted or not its other's.
    """
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise ServeError("SV012", "one of tls_certificate and tls_key is missing", expected="both, or none")
    for file in (certificate, key):
        if not Path(file).is_file():
            raise ServeError("SV012", f"no such file: {file}", expected="a file in PEM form")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a password OpenSSL would ask for one at the terminal, and wait.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError) as exc:
        raise ServeError(
            "SV012",
            f"{certificate} with {key}: {exc.strerror or exc}",
            expected="a certificate chain in PEM form, and the key that belongs to it, without a password",
        ) from exc
    return context
