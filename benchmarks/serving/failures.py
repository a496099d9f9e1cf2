"""What ends a benchmark early: one error, whose message is for whoever started it."""


class BenchmarkError(Exception):
    """A server did not start, did not answer rightly, or something that is needed is missing."""
