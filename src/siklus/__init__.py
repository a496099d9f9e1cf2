"""Siklus: the whole production life of a machine-learning model, from one project file."""

__version__ = "0.1.0"
