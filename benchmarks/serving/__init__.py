"""The same forest behind different servers, asked the same questions in turn."""
