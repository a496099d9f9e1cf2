"""The stack: a Compose file with everything that a project needs on one machine."""
