"""Where evidence is looked for: one file for each place that keeps some."""
