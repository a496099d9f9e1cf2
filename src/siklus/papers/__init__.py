"""Papers: what a release carries for those who must trust it: card, parts list, signature."""
