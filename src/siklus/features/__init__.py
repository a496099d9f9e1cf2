"""Preparation: what a model learns from training rows before it learns to predict."""
