"""Rollout: a challenger's way to all requests, or out; and experiments, which go the same way."""
