"""Plays `docker`, or `kubectl`, of where a release goes to: a loop that decides, and notes on deployments.

The state is OVER_THERE/state.json; what is asked goes to LOG, and what begins with FAILS fails.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

THERE = Path(os.environ["OVER_THERE"])
ARRIVES = 8  # the number that a pushed bundle is known by


def loop(state: dict[str, Any], words: list[str]) -> None:
    """`siklus` in the loop's container. Giving all requests to whom they go already decides nothing."""
    traffic = state["traffic"]
    before = dict(traffic)
    if words[0] == "push":
        (THERE / "arrived.tar").write_bytes(sys.stdin.buffer.read())
        if words[-1] == "production":
            traffic["champion"] = ARRIVES
    elif words[0] == "rollback":
        traffic["champion"] = int(words[words.index("--to") + 1])
    elif words[:2] == ["traffic", "show"]:
        document = json.loads((THERE / "policy.json").read_text())
        document["policy"]["revision"] = traffic["revision"]
        document["policy"]["allotment"]["arms"][0]["version"] = traffic["champion"]
        sys.stdout.write(json.dumps(document, indent=2))
    if traffic != before or words[:2] == ["rollout", "start"]:
        traffic["revision"] += 1


def kubectl(state: dict[str, Any], words: list[str]) -> None:
    """`get`, `set image` and `annotate` of deployments; those that there are have an image."""
    images, notes = state["images"], state["notes"]
    if words[:2] == ["set", "image"]:
        assert words[2] in images
        images[words[2]] = words[3].partition("=")[2]
    elif words[0] == "get" and words[-1].startswith("jsonpath=") and "image" in words[-1]:
        sys.stdout.write(images[words[1]])
    elif words[0] == "get" and words[-1].startswith("jsonpath="):
        sys.stdout.write(notes.get(words[1] + words[-1].rpartition("/")[2].rstrip("}"), ""))
    elif words[0] == "get" and words[1] in images:
        sys.stdout.write(words[1])
    elif words[0] == "annotate":
        for each in words[3:]:
            name, _, value = each.removeprefix("siklus/").partition("=")
            notes[words[2] + name.removesuffix("-")] = value


def main() -> int:
    program, words = Path(sys.argv[0]).name, sys.argv[1:]
    if program == "kubectl":
        assert words[0] == "--namespace"
        words = words[2:]
    asked = " ".join(words)
    with Path(os.environ["LOG"]).open("a") as log:
        log.write(f"{program} {asked}\n")
    if asked.startswith(os.environ["FAILS"]):
        return 1
    path = THERE / "state.json"
    state = json.loads(path.read_text())
    if "siklus" in words:
        loop(state, words[words.index("siklus") + 1 :])
    elif program == "kubectl":
        kubectl(state, words)
    path.write_text(json.dumps(state))
    return 0


if __name__ == "__main__":
    sys.exit(main())
