"""From a source to a registered version: search, judge, prove, seal."""
