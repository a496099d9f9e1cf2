"""Retraining: from what asks for one to a challenger and the verdict on it."""
