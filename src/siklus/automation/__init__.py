"""Automation: what closes the loop, from a trigger to a training, a challenger, a rollout and its end."""
