"""Drift: a window of traffic against training, as values in and a report out."""
