"""SQLite as the engine of the state, and what only a file can do: copies, restore, a lock."""
