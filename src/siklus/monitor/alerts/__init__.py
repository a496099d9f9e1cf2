"""Alerts: rules over signals, how they stand, and what somebody must hear."""
