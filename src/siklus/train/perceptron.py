"""A small multi-layer perceptron that learns with PyTorch and is plain numpy once it has learned.

An estimator like scikit-learn's own: it can be cloned, searched and put behind a preparation. Only
`fit` needs torch, so a fitted one predicts, and is written as ONNX, where torch is not installed.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from siklus.extras import need

HELD_OUT = 0.1  # of the rows: they tell when to stop
FEWEST_HELD_OUT = 20  # with fewer their loss is noise, so then all rows learn, for all epochs
PATIENCE = 10  # epochs without a better held-out loss, after which learning ends

Floats = NDArray[np.floating[Any]]


class _TorchPerceptron(BaseEstimator):  # type: ignore[misc] # scikit-learn ships no types
    """What both have: standardised columns, dense layers with ReLU between, and the loop that learns.

    ``hidden``: units of each hidden layer. ``weight_decay``: as in AdamW (arXiv 1711.05101). The
    best epoch's weights on held-out rows are kept. The same ``seed`` gives the same weights on the
    same machine. Missing values are refused: they belong to a preparation before it.
    """

    def __init__(
        self,
        *,
        hidden: Sequence[int] = (64, 64),
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        epochs: int = 200,
        batch_rows: int = 256,
        seed: int = 0,
    ) -> None:
        self.hidden = hidden
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.batch_rows = batch_rows
        self.seed = seed

    def _standardise(self, X: Floats) -> None:
        self.mean_ = X.mean(axis=0)
        spread = X.std(axis=0)
        self.scale_ = np.where(spread > 0, spread, 1.0)

    def _learn(self, X: Floats, y: NDArray[Any], *, outputs: int, loss: Any) -> None:
        """Fit the layers to a target that the loss takes as it is: class indices, or (rows, 1) numbers."""
        torch = need("torch", extra="torch")
        widths = [X.shape[1], *self.hidden, outputs]
        rows = torch.from_numpy(self._scaled(X))
        target = torch.from_numpy(y)
        order = np.random.default_rng(self.seed).permutation(len(X))
        count = int(HELD_OUT * len(X))
        held_out = torch.from_numpy(order[:count]) if count >= FEWEST_HELD_OUT else None
        learning = torch.from_numpy(order[0 if held_out is None else count :])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = _network(torch, widths)
            decay = self.weight_decay
            steps = torch.optim.AdamW(network.parameters(), lr=self.learning_rate, weight_decay=decay)
            best, best_epoch, self.n_iter_ = np.inf, 0, 0
            self._keep(network)
            for epoch in range(self.epochs):
                shuffled = learning[torch.randperm(len(learning))]
                for batch in shuffled.split(self.batch_rows):
                    steps.zero_grad()
                    loss(network(rows[batch]), target[batch]).backward()
                    steps.step()
                self.n_iter_ = epoch + 1
                if held_out is None:
                    continue
                with torch.no_grad():
                    seen = float(loss(network(rows[held_out]), target[held_out]))
                if seen < best:
                    best, best_epoch = seen, epoch
                    self._keep(network)
                elif epoch - best_epoch >= PATIENCE:
                    break
            if held_out is None:
                self._keep(network)

    def _keep(self, network: Any) -> None:
        linear = [layer for layer in network if hasattr(layer, "weight")]
        self.coefs_ = [layer.weight.detach().numpy().T.copy() for layer in linear]
        self.intercepts_ = [layer.bias.detach().numpy().copy() for layer in linear]

    def _scaled(self, X: Floats) -> NDArray[np.float32]:
        scaled: Floats = (X - self.mean_) / self.scale_
        return scaled.astype(np.float32)

    def _sums(self, X: Any) -> NDArray[np.float64]:
        """The last layer's sums, shape (rows, outputs)."""
        check_is_fitted(self, "coefs_")
        # float64, so that a row's answer does not depend on the rows beside it, as float32 products do.
        value = self._scaled(validate_data(self, X, dtype=np.float64, reset=False)).astype(np.float64)
        for i, (weights, offsets) in enumerate(zip(self.coefs_, self.intercepts_, strict=True)):
            value = (np.maximum(value, 0) if i else value) @ weights.astype(np.float64) + offsets
        return value


class TorchClassifier(ClassifierMixin, _TorchPerceptron):  # type: ignore[misc] # as above
    """Class probabilities by a softmax over the last layer; learns by cross-entropy."""

    def fit(self, X: Any, y: Any) -> Self:
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, indices = np.unique(y, return_inverse=True)
        self._standardise(X)
        loss = need("torch", extra="torch").nn.CrossEntropyLoss()
        self._learn(X, indices.astype(np.int64), outputs=len(self.classes_), loss=loss)
        return self

    def predict_proba(self, X: Any) -> Floats:
        """Shape (rows, classes), in the order of ``classes_``."""
        probabilities: Floats = softmax(self._sums(X), axis=1)
        return probabilities

    def predict(self, X: Any) -> NDArray[Any]:
        best = np.argmax(self.predict_proba(X), axis=1)
        chosen: NDArray[Any] = self.classes_[best]
        return chosen


class TorchRegressor(RegressorMixin, _TorchPerceptron):  # type: ignore[misc] # as above
    """One number a row; learns by squared error of the standardised target."""

    def fit(self, X: Any, y: Any) -> Self:
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self._standardise(X)
        self.target_mean_ = float(np.mean(y))
        self.target_scale_ = float(np.std(y)) or 1.0
        scaled = ((y - self.target_mean_) / self.target_scale_).astype(np.float32).reshape(-1, 1)
        self._learn(X, scaled, outputs=1, loss=need("torch", extra="torch").nn.MSELoss())
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Shape (rows,)."""
        return self._sums(X)[:, 0] * self.target_scale_ + self.target_mean_


def _network(torch: Any, widths: Sequence[int]) -> Any:
    layers: list[Any] = []
    for i in range(len(widths) - 1):
        layers += [torch.nn.ReLU()] if i else []
        layers.append(torch.nn.Linear(widths[i], widths[i + 1]))
    return torch.nn.Sequential(*layers)
