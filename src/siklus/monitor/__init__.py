"""The monitor: what traffic looks like against training, how good answers are, and who must hear of it."""
