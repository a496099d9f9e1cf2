"""What a table looks like before a model is trained on it, in numbers."""
