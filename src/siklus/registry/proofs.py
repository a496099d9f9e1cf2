"""Proofs: what was shown to hold, as entries of the journal, so that it is known when it was last shown."""

from datetime import datetime

from msgspec import Struct

from siklus.registry.journal import Entry, evidence_of

KIND = "proof"  # of journal entries
SKEW = "no skew"  # their subject: what was to be shown


class Proof(Struct, frozen=True, kw_only=True):
    """``holds``: whether it was shown; ``rows``: on how many; ``versions``: of which models."""

    holds: bool
    rows: int
    versions: tuple[str, ...]


def entry_of(subject: str, proof: Proof, *, text: str, author: str, now: datetime) -> Entry:
    """The journal's entry, of a proof that failed as well."""
    return Entry(time=now, kind=KIND, subject=subject, author=author, text=text, evidence=evidence_of(proof))
