"""Quality: answers held against their outcomes, as far as these have come."""
