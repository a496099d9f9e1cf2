"""A release's papers: what is verified, what stands in card and parts list."""
