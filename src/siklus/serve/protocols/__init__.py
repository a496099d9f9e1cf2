"""Protocols: other tools' ways to ask, each read into rows and written from what was scored."""
