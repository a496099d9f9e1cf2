"""Access: who may ask, how often, and the port of whoever runs the server."""
