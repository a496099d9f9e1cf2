"""Records: what was answered, and the outcomes that came later. Written by servers, read by everything else."""
