"""Findings as a person reads them: the ones to look at first."""

from collections.abc import Sequence

from rich.table import Table as RichTable

from siklus.cli.output import table
from siklus.contract.findings import Finding


def findings_table(findings: Sequence[Finding]) -> RichTable:
    ordered = sorted(findings, key=lambda found: found.severity != "warn")
    rows = [
        ("look" if found.severity == "warn" else "note", found.code, found.column or "", found.message)
        for found in ordered
    ]
    return table("\nWhat was found", ["", "finding", "column", "what it means"], rows)
