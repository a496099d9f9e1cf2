"""The registry: numbered versions of sealed bundles, and the stage that each one holds."""
