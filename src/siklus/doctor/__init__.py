"""Doctor: what is wrong with a machine or with what a project needs, and how to mend it."""
