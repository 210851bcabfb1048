"""PostgreSQL as the engine of the state. Imported only when ``[state] url`` asks for it."""
