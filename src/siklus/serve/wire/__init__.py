"""The wire: bytes in and out, the quick way for plain requests, limits and deadlines."""
