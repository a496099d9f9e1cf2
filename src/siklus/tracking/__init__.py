"""Tracking: what a training did, noted in MLflow, and where its code and environment came from."""
