"""Counting: what was answered, in rows of memory that all workers share, and the page that shows it."""
