"""Models that someone already has, each kind seen through one shape: its words, its answers, its graph."""
