"""The three scales as data: what each asks for, in our own words, with its source."""
