"""Images: Dockerfiles of the server and of the loop."""
