"""Names: a project's may hold what those of Kubernetes may not."""

import re
from hashlib import sha256

LONGEST = 40  # leaves room for what stands behind it, in a name of at most 63 characters
OF_NAMESPACE = 59  # likewise for `-dev`
DIGEST = 6  # characters: of two names that would be one, each keeps its own
RESERVED = frozenset({"on", "off", "yes", "no", "y", "n", "true", "false", "null"})  # words of YAML
PLAIN = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")


def cluster_name(name: str, *, longest: int = LONGEST) -> str:
    """The name as it is, where a Service may have it; else what comes near, and a piece of its digest.

    >>> cluster_name("flights")
    'flights'
    >>> cluster_name("late_flights")
    'late-flights-4ed519'
    """
    if PLAIN.fullmatch(name) and len(name) <= longest and name not in RESERVED:
        return name
    letters = re.sub(r"[^a-z0-9]+", "-", name).strip("-")
    if not letters[:1].isalpha():
        letters = f"m-{letters}"
    digest = sha256(name.encode()).hexdigest()[:DIGEST]
    return f"{letters[: longest - DIGEST - 1].strip('-')}-{digest}"
