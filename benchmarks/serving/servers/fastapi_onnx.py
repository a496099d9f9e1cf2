"""What a careful colleague makes of the tutorial: FastAPI and pydantic still, the model in ONNX Runtime."""

import os
import time
from pathlib import Path

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.serving.servers.forest import open_forest

app = FastAPI(title="Prediction API")
score = open_forest(Path(os.environ["MODEL"]))


class PredictionRequest(BaseModel):
    features: list[float]


class PredictionResponse(BaseModel):
    prediction: int
    probability: float
    latency_ms: float


class BatchRequest(BaseModel):
    instances: list[list[float]]


class BatchResponse(BaseModel):
    predictions: list[int]
    probabilities: list[float]


@app.post("/predict")
async def predict(request: PredictionRequest) -> PredictionResponse:
    started = time.perf_counter()
    [prediction], [probability] = score(np.array([request.features], dtype=np.float32))
    return PredictionResponse(
        prediction=prediction,
        probability=probability,
        latency_ms=(time.perf_counter() - started) * 1000,
    )


@app.post("/predict/batch")
async def predict_batch(request: BatchRequest) -> BatchResponse:
    predictions, probabilities = score(np.array(request.instances, dtype=np.float32))
    return BatchResponse(predictions=predictions, probabilities=probabilities)
