"""The traffic policy: which version answers which share of the requests, and which only watch."""

import re
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from siklus.errors import RegistryError
from siklus.registry.sticky import parse_sticky

FORMAT = 1
CHAMPION = "champion"  # the arm that is there in every policy
CHALLENGER = "challenger"  # the usual name of the other one
MOST_ARMS = 8  # each holds a model in the memory of every worker; the same bound holds for shadows
ROUNDING = 1e-9  # by which the shares may miss 1

# An arm's name is a metric's label and a field of the log.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
SALT = re.compile(r"[A-Za-z0-9_-]{0,16}")  # BLAKE2b takes 16 bytes

Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class PolicyArm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A registered version under a name. ``share``: of all requests, 0 to 1; 0 for a shadow.

    ``digest`` names the version's bundle, so that neither registry nor database is needed to find it.
    """

    name: str
    version: Annotated[int, Meta(ge=1)]
    share: float
    digest: Digest


class Allotment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who gets which share. ``arms``: the champion first; ``shadows`` are scored after the answer.

    ``sticky``: what assigns a request for good, as `sticky.parse_sticky` reads it; without it each request
    is dealt by chance. ``salt``: another one deals all keys anew.
    """

    arms: tuple[PolicyArm, ...]
    shadows: tuple[PolicyArm, ...] = ()
    sticky: str | None = None
    salt: str = ""

    @property
    def champion(self) -> PolicyArm:
        return self.arms[0]

    @property
    def everybody(self) -> tuple[PolicyArm, ...]:
        """All arms, then all shadows."""
        return self.arms + self.shadows


class TrafficPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One revision of what was decided for a model. Revisions only grow, and none is ever changed."""

    format: int = FORMAT
    revision: Annotated[int, Meta(ge=1)]
    model: str
    allotment: Allotment
    created: datetime
    by: str
    reason: str = ""


def everything_to(champion: PolicyArm, *, after: Allotment | None) -> Allotment:
    """All requests to one version; keys and their salt stay, so that a later challenger meets the same."""
    return Allotment(
        arms=(msgspec.structs.replace(champion, name=CHAMPION, share=1.0),),
        sticky=None if after is None else after.sticky,
        salt="" if after is None else after.salt,
    )


def checked(allotment: Allotment) -> Allotment:
    """The same, when it can be served; RegistryError RG012 says what is wrong, RG011 a wrong key."""
    arms, shadows = allotment.arms, allotment.shadows
    names = [arm.name for arm in allotment.everybody]
    versions = [arm.version for arm in allotment.everybody]
    if [name == CHAMPION for name in names].count(True) != 1 or arms[:1] != _named(arms, CHAMPION):
        raise _refused(f"arms {', '.join(names)}", f"exactly one {CHAMPION}, as the first arm")
    for name in names:
        if not NAME.fullmatch(name):
            wanted = "at most 40 lower-case letters, digits, - and _"
            raise _refused(f"an arm is called {name[:80]!r}", wanted)
        if names.count(name) > 1:
            raise _refused(f"{names.count(name)} arms are called {name!r}", "a name for each")
    for version in versions:
        if versions.count(version) > 1:
            raise _refused(f"version {version} stands twice", "each version once, as an arm or as a shadow")
    if max(len(arms), len(shadows)) > MOST_ARMS:
        raise _refused(f"{len(arms)} arms and {len(shadows)} shadows", f"at most {MOST_ARMS} of either kind")
    _check_shares(allotment)
    if not SALT.fullmatch(allotment.salt):
        raise _refused(f"salt {allotment.salt[:80]!r}", "at most 16 letters, digits, - and _")
    if allotment.sticky is not None:
        parse_sticky(allotment.sticky)
    return allotment


def _check_shares(allotment: Allotment) -> None:
    for arm in allotment.arms:
        if not 0 < arm.share <= 1:  # NaN is refused too
            raise _refused(f"{arm.name} has the share {arm.share}", "a share above 0 and at most 1")
    total = sum(arm.share for arm in allotment.arms)
    if abs(total - 1) > ROUNDING:
        raise _refused(f"the shares add up to {total:.12g}", "1")
    for shadow in allotment.shadows:
        if shadow.share != 0:
            raise _refused(f"the shadow {shadow.name} has the share {shadow.share}", "0")


def _named(arms: tuple[PolicyArm, ...], name: str) -> tuple[PolicyArm, ...]:
    return tuple(arm for arm in arms if arm.name == name)


def _refused(what: str, wanted: str) -> RegistryError:
    return RegistryError("RG012", f"traffic policy: {what}", expected=wanted)
