"""Skew: logged requests through training's door, which must come out the same to the last bit."""
