"""The servers that need nothing beyond our own environment."""
