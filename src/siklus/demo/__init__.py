"""Demo: real flights of a year, through the whole loop, in minutes."""
