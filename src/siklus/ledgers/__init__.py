"""The ledgers: what the workers of a server count, as files that servers write and monitors read."""
