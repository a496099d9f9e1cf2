"""BASELINE: the app that tutorials teach. FastAPI, pydantic, joblib, and Prometheus in a middleware."""

import os
import time
from collections.abc import Awaitable, Callable

import joblib
import numpy as np
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from pydantic import BaseModel

REQUESTS = Counter("http_requests_total", "Requests", ["method", "endpoint", "status"])
LATENCY = Histogram("http_request_duration_seconds", "Latency", ["method", "endpoint"])
PREDICTIONS = Counter("model_predictions_total", "Predictions", ["prediction"])

app = FastAPI(title="Prediction API")
model = joblib.load(os.environ["MODEL"])


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


@app.middleware("http")
async def track(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    started = time.time()
    response = await call_next(request)
    LATENCY.labels(request.method, request.url.path).observe(time.time() - started)
    REQUESTS.labels(request.method, request.url.path, response.status_code).inc()
    return response


@app.post("/predict")
async def predict(request: PredictionRequest) -> PredictionResponse:
    started = time.time()
    features = np.array(request.features).reshape(1, -1)
    prediction = int(model.predict(features)[0])
    probability = float(model.predict_proba(features)[0].max())
    PREDICTIONS.labels(str(prediction)).inc()
    return PredictionResponse(
        prediction=prediction, probability=probability, latency_ms=(time.time() - started) * 1000
    )


@app.post("/predict/batch")
async def predict_batch(request: BatchRequest) -> BatchResponse:
    features = np.array(request.instances)
    predictions = model.predict(features).tolist()
    return BatchResponse(
        predictions=predictions, probabilities=model.predict_proba(features).max(axis=1).tolist()
    )


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "healthy"}


@app.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
