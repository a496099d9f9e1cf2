"""Receivers by mail."""

import re
import socket
from collections import OrderedDict

from siklus.monitor.alerts.events import Notification
from siklus.monitor.notify.message import Envelope, compose
from siklus.monitor.notify.receiver import NotSent
from siklus.monitor.notify.smtp import Post

KEPT = 100  # mails that only some of their readers have got so far


class MailReceiver:
    """One mail for each notification, to all addresses.

    A server may take a mail for some of its readers and not for others, such as a greylisting one: those who
    have it do not get it again as long as this process lives.
    """

    def __init__(self, post: Post, envelope: Envelope, *, false_alarm_rate: float) -> None:
        self._post = post
        self._envelope = envelope
        self._rate = false_alarm_rate
        self._have: OrderedDict[str, frozenset[str]] = OrderedDict()

    def send(self, notification: Notification) -> None:
        """NotSent AL040 to AL046; AL046 too when only some readers have it."""
        message = compose(notification, self._envelope, false_alarm_rate=self._rate)
        have = self._have.pop(message["Message-ID"], frozenset())
        missing = [reader for reader in self._envelope.to if reader not in have]
        refused = self._post.hand_over(message, missing)
        if not refused:
            return
        self._have[message["Message-ID"]] = have | (set(missing) - refused.keys())
        while len(self._have) > KEPT:
            self._have.popitem(last=False)
        told = "; ".join(f"{reader}: {words}" for reader, words in refused.items())
        raise NotSent("AL046", f"refused for {told}", expected="addresses that the mail server takes")


def own_address() -> str:
    """siklus@ this machine's name, which receivers without a `sender` use."""
    name = re.sub(r"[^A-Za-z0-9.-]", "", socket.gethostname()).strip(".-")
    return f"siklus@{name or 'localhost'}"
