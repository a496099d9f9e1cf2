"""Records: what was answered, and the outcomes that came later. Servers write them, all else reads."""
