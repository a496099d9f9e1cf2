"""Replay: logged requests through a version, before any user meets it."""
