"""Where a project keeps things: one place that knows every path."""

from dataclasses import dataclass
from pathlib import Path

from siklus.project.sections import Project


@dataclass(frozen=True)
class Paths:
    """``root`` holds siklus.toml; ``state`` everything that can be made again or must outlive a run."""

    root: Path
    state: Path
    contract: Path

    @classmethod
    def of(cls, root: Path, project: Project) -> "Paths":
        return cls(root=root, state=root / project.state.directory, contract=root / project.data.contract)

    @classmethod
    def at(cls, state: Path) -> "Paths":
        """Those of a state directory that stands alone, as a server knows it."""
        return cls(root=state.parent, state=state, contract=state.parent / "contract.json")

    @property
    def bundles(self) -> Path:
        """Verified bundles by digest: what the servers open."""
        return self.state / "bundles"

    @property
    def snapshots(self) -> Path:
        """The rows of each training, by digest."""
        return self.state / "snapshots"

    @property
    def steps(self) -> Path:
        """Finished training steps, by the digest of all that went into them."""
        return self.state / "steps"

    @property
    def artifacts(self) -> Path:
        """MLflow's artifacts, unless its own server keeps them."""
        return self.state / "artifacts"

    @property
    def tracking_database(self) -> Path:
        return self.state / "mlflow.db"

    @property
    def control_database(self) -> Path:
        """Traffic policy and journal, unless a database server keeps them."""
        return self.state / "control.db"

    @property
    def keys(self) -> Path:
        """The API keys of this server's clients, as digests."""
        return self.state / "keys.json"

    @property
    def admin_token(self) -> Path:
        """What the admin port asks for, readable by its owner only."""
        return self.state / "admin.token"

    @property
    def records(self) -> Path:
        """The prediction log and the outcomes."""
        return self.state / "records"

    @property
    def run(self) -> Path:
        """What running processes share: counters, the traffic policy last published, locks."""
        return self.state / "run"

    @property
    def lock(self) -> Path:
        """Held by the one training that runs at a time."""
        return self.run / "train.lock"
