"""Admin: the port of whoever runs the server: status, counters, drain, reload, an ask for a retraining."""
