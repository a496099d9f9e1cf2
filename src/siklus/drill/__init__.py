"""Drill: faults on purpose, in a sandbox, and proof that what must follow follows."""
