"""What Siklus costs, measured beside what else one might run."""
