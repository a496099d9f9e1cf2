"""Admin: the port of whoever runs the server: its status, its counters, drain and reload."""
