"""Pure comparison of a snapshot with what a poll read."""
