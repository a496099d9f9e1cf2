"""Telling people and programs of alerts: one file a kind of receiver, and the courier who visits them."""
