"""Traffic: the versions that answer, who gets which, and those that only watch."""
