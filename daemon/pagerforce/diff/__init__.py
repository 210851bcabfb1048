"""Pure comparison: what changed between a snapshot and what a poll brought, and was it us."""
