"""Fitted models written as ONNX graphs, one file a family of models."""
