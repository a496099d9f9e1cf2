"""Supervision: the process that answers nothing and watches those who do, and one worker's life."""
