"""January's model, month by month: what drift said of the rest of the year, what quality said, and others."""
