"""The server: started as a process, and asked over HTTP."""
