"""Prometheus: whether it answers, scrapes this project's servers, and has the rules written for it."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct

from siklus.asking import Answered, ask
from siklus.doctor.case import Case
from siklus.doctor.finding import Finding, note, ok, trouble
from siklus.project.file import OpenProject
from siklus.tracking.boundary import shown

ABOUT = "prometheus"


class Scraped(Struct, frozen=True, kw_only=True):
    """``targets``: of the project's job, with whether each is up. ``groups``: names of rule groups that speak
    of the job; None where the rules could not be asked for."""

    url: str
    job: str
    answer: Answered
    targets: dict[str, bool] = {}
    groups: tuple[str, ...] | None = None


def judge_scraped(found: Scraped) -> list[Finding]:
    write = "`siklus deploy prometheus`, and its files in that Prometheus"
    if found.answer.status != 200:
        told = found.answer.problem or f"it answers {found.answer.status}"
        cure = f"`curl -sS {found.url}/-/ready`, or another [monitor] prometheus"
        return [trouble(ABOUT, f"{found.url}: {told}", mend=cure)]
    findings = []
    down = sorted(instance for instance, up in found.targets.items() if not up)
    if not found.targets:
        findings.append(trouble(ABOUT, f"{found.url} scrapes nothing as job {found.job!r}", mend=write))
    elif down:
        which = ", ".join(down[:5])
        told = f"{len(down)} of {len(found.targets)} servers of job {found.job!r} are down: {which}"
        cure = f"{found.url}/targets says why; `siklus keys add prometheus` where servers ask for a key"
        findings.append(trouble(ABOUT, told, mend=cure))
    if found.groups is not None and not found.groups:
        findings.append(note(ABOUT, f"{found.url} has no rules for job {found.job!r}", mend=write))
    if findings:
        return findings
    rules = "" if found.groups is None else f", {len(found.groups)} rule groups loaded"
    return [
        ok(ABOUT, f"{found.url} scrapes {len(found.targets)} servers of job {found.job!r}, all up{rules}")
    ]


def check_prometheus(case: Case, project: OpenProject) -> Sequence[Finding]:
    url, job = project.settings.monitor.prometheus, project.settings.project.name
    if url is None:
        return []
    place = url.rstrip("/")
    query = urlencode({"query": f'up{{job="{job}"}}'})
    answer = ask(f"{place}/api/v1/query?{query}", seconds=case.seconds)
    rules = ask(f"{place}/api/v1/rules", seconds=case.seconds) if answer.status == 200 else None
    return judge_scraped(
        Scraped(
            url=shown(place),
            job=job,
            answer=answer,
            targets=_targets(answer.document),
            groups=None if rules is None or rules.status != 200 else _groups(rules.document, job),
        )
    )


def _targets(document: Any) -> dict[str, bool]:
    try:
        return {each["metric"]["instance"]: each["value"][1] == "1" for each in document["data"]["result"]}
    except (TypeError, KeyError, IndexError):
        return {}


def _groups(document: Any, job: str) -> tuple[str, ...] | None:
    """Those in which a rule names the job as Siklus writes it."""
    try:
        return tuple(
            group["name"]
            for group in document["data"]["groups"]
            if any(f'job="{job}"' in rule.get("query", "") for rule in group["rules"])
        )
    except (TypeError, KeyError):
        return None
