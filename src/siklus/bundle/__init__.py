"""The bundle: the sealed directory of one release, opened without running anything in it."""
