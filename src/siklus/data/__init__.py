"""Where rows come from, which of them train, and how the very same rows are found again.

A source (files, a DuckDB query, a database) is read into a Table; frames in memory become one too;
the split says which rows train, choose and judge; a snapshot keeps what was read, by its digest.
"""
