-- What rules saw besides an event is the same for many events: the text is stored once.

CREATE TABLE context (
  id     INTEGER PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,   -- of data
  data   TEXT NOT NULL
) STRICT;

-- Set: the context is in that table, and the column context is empty.
ALTER TABLE event ADD COLUMN context_id INTEGER;
CREATE INDEX event_context ON event (context_id) WHERE context_id IS NOT NULL;
