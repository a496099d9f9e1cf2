"""A mail server that keeps what it is sent: a file for each mail, in the folder that it is given."""

import sys
import time
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope


class Keep:
    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802 - as aiosmtpd calls it
        (Path(sys.argv[1]) / f"{time.time_ns()}.eml").write_bytes(bytes(envelope.content or b""))
        return "250 kept"


Controller(Keep(), hostname="0.0.0.0", port=8025).start()
time.sleep(1e9)
