"""A runtime for graphs, which MLServer lacks."""

from pathlib import Path

import numpy as np
from forest import open_forest
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Forest(MLModel):
    async def load(self) -> bool:
        self.score = open_forest(Path(self.settings.parameters.uri))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = NumpyCodec.decode_input(payload.inputs[0])
        labels, probabilities = self.score(rows)
        outputs = [
            NumpyCodec.encode_output("predict", np.array(labels)),
            NumpyCodec.encode_output("probability", np.array(probabilities)),
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)
