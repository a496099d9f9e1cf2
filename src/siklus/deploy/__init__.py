"""Deploy: files for other tools, rendered from the same definitions that Siklus itself goes by."""
