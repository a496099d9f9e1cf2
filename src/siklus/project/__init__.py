"""The project file: one frozen model a section, unknown keys refused."""
