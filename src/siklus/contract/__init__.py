"""What a row must be: one description from training to HTTP."""
