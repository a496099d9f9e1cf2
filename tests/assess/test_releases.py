"""Releases: what registered versions say, read off their bundles; and quickly, without loading MLflow."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from siklus.assess.evidence.registered import versions_in
from siklus.assess.evidence.releases import made, releases_of
from siklus.assess.facts import Trace, together
from siklus.registry.versions import Registry, Version
from tests.bundle.sealed import sealed
from tests.tracking.stores import project, store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CONTRACT = {"format": 1, "columns": [{"kind": "number", "name": "a"}], "target": {"name": "y"}}
PROVENANCE = {
    "siklus": "1",
    "trained": "2026-11-20T12:00:00+00:00",
    "model_kind": "linear",
    "triggered_by": "siklus train",
    "git_commit": "c" * 40,
    "git_dirty": False,
    "data_digest": "d" * 64,
    "data_rows": 500,
    "seed": 0,
    "parameters": {"penalty": 1.0},
    "environment": {"python": "3.11.7"},
}


def trial(candidate: str, number: int, seconds: float = 0.5) -> dict[str, Any]:
    return {"candidate": candidate, "parameters": {"penalty": number}, "seconds": seconds + number}


def paper(**changes: Any) -> dict[str, Any]:
    """A bundle's evaluation.json, of a model that has all of it."""
    trials = [trial("linear", i) for i in range(6)]
    whole = {
        "evaluation": {"rows": 100, "slices": {}, "importance": {"a": {"mean": 1.0, "std": 0.1}}},
        "search": {"candidate": "linear", "best_of_each": [trials[0], trial("dummy", 0)], "trials": trials},
        "export": {"parity": {"rows": 100, "max_difference": 1e-7, "holds": True}},
        "gates": {
            "passed": True,
            "gates": [{"name": "mae", "bound": "<= 1"}, {"name": "mae by side", "bound": "<= 2"}],
        },
    }
    return {**whole, **changes}


def bundle(folder: Path, document: dict[str, Any], provenance: dict[str, Any] | None = None) -> Version:
    """A version whose bundle says so. ``folder``: its place among the bundles."""
    folder.mkdir(parents=True)
    (folder / "provenance.json").write_text(json.dumps(provenance or PROVENANCE))
    (folder / "contract.json").write_text(json.dumps(CONTRACT))
    (folder / "evaluation.json").write_text(json.dumps(document))
    return Version(
        name="line",
        number=1,
        stage=None,
        run_id="r" * 32,
        digest=folder.name,
        created=NOW,
        data_digest="d" * 64,
        metrics={"mae": 0.25},
    )


def signs(*versions: Version, bundles: Path) -> dict[str, tuple[Trace, ...]]:
    return together(made(releases_of(versions, bundles), snapshots=bundles))


WHOLE = {
    *("trained", "contract-held", "columns-weighed", "tuned", "simpler-tried", "slices-held", "gates-held"),
    *("parity-held", "traced", "committed"),
}


def test_a_whole_training_shows_all_that_one_can(tmp_path: Path) -> None:
    found = signs(bundle(tmp_path / "b1", paper()), bundles=tmp_path)
    assert found.keys() == WHOLE
    assert found["tuned"][0].when == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert {trace.most for (trace,) in found.values()} == {1}


@pytest.mark.parametrize(
    ("document", "gone"),
    [
        (paper(gates={"passed": True, "gates": []}), {"gates-held", "slices-held"}),
        (
            paper(gates={"passed": True, "gates": [{"name": "parity", "bound": "true"}]}),
            {"gates-held", "slices-held"},
        ),
        (paper(gates={"passed": True, "gates": [{"name": "mae", "bound": "<= 1"}]}), {"slices-held"}),
        (paper(export={"parity": None}), {"parity-held"}),
        (paper(export={"parity": {"rows": 1, "max_difference": 1.0, "holds": False}}), {"parity-held"}),
        (paper(evaluation={"importance": None}), {"columns-weighed"}),
        (
            paper(
                search={
                    "candidate": "linear",
                    "best_of_each": [trial("linear", 0)],
                    "trials": [trial("linear", 0)],
                }
            ),
            {"tuned", "simpler-tried"},
        ),
        # The same setting again and again searches nothing.
        (
            paper(
                search={
                    "candidate": "linear",
                    "best_of_each": [trial("dummy", 0)],
                    "trials": [trial("linear", 3)] * 20,
                }
            ),
            {"tuned"},
        ),
        # A packaged model was not trained here.
        (paper(search=None), {"trained", "contract-held", "tuned", "simpler-tried"}),
    ],
)
def test_what_a_training_has_not_done_it_does_not_show(
    tmp_path: Path, document: dict[str, Any], gone: set[str]
) -> None:
    assert signs(bundle(tmp_path / "b1", document), bundles=tmp_path).keys() == WHOLE - gone


def test_a_column_that_gives_nothing_is_named_and_counts_half(tmp_path: Path) -> None:
    document = paper(evaluation={"importance": {"a": {"mean": 0.1, "std": 0.2}}})
    (trace,) = signs(bundle(tmp_path / "b1", document), bundles=tmp_path)["columns-weighed"]
    assert trace.most == 0.5
    assert trace.said.startswith("a give")


def test_a_training_from_changed_files_is_of_no_commit(tmp_path: Path) -> None:
    version = bundle(tmp_path / "b1", paper(), {**PROVENANCE, "git_dirty": True})
    assert "committed" not in signs(version, bundles=tmp_path)


@pytest.mark.parametrize(
    ("seconds", "metric", "seed", "there"),
    [
        (0.75, 0.25, 0, True),
        (0.5, 0.25, 0, False),  # the very same fits: a step that was reused
        (0.75, 0.26, 0, False),
        (0.75, 0.25, 1, False),
    ],
)
def test_two_fits_of_the_same_rows_with_the_same_result_show_that_it_is_reproducible(
    tmp_path: Path, seconds: float, metric: float, seed: int, there: bool
) -> None:
    old = bundle(tmp_path / "b1", paper())
    trials = [trial("linear", i, seconds) for i in range(6)]
    again = paper(search={"candidate": "linear", "best_of_each": trials[:1], "trials": trials})
    later = (datetime.fromisoformat(PROVENANCE["trained"]) + timedelta(hours=1)).isoformat()  # type: ignore[arg-type]  # a text
    new = bundle(tmp_path / "b2", again, {**PROVENANCE, "seed": seed, "trained": later})
    new = structs.replace(new, number=2, metrics={"mae": metric})
    assert ("reproduced" in signs(new, old, bundles=tmp_path)) is there


def test_a_version_whose_bundle_is_not_here_shows_nothing(tmp_path: Path) -> None:
    version = bundle(tmp_path / "b1", paper())
    shutil.rmtree(tmp_path / "b1")
    assert signs(version, bundles=tmp_path) == {}


@pytest.mark.slow  # making a database of MLflow takes a while
def test_the_quick_way_to_the_versions_says_what_mlflow_says(tmp_path: Path) -> None:
    tracking, registry, model = store(tmp_path), Registry(store(tmp_path)), sealed(tmp_path / "sealed")
    for stage in ("production", "staging", "production"):
        with tracking.run(experiment="line", name="train") as run:
            registry.register(model, name="line", run_id=run.id, metrics={"mae": 0.25}, stage=stage)
    database = project(tmp_path).tracking_database
    quick = versions_in(database, "line")
    assert [version.stage for version in quick] == ["production", "staging", "archived"]
    assert quick == registry.versions("line")
    assert versions_in(database, "another") == ()
