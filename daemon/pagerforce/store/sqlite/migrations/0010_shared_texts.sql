-- What rules saw besides an event, and their traces, are the same for many events: each text is stored once.

CREATE TABLE shared_text (
  id     INTEGER PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,   -- of data
  data   TEXT NOT NULL
) STRICT;

-- Set: the text is in that table, and the column of the same name is empty.
ALTER TABLE event ADD COLUMN context_id INTEGER;
ALTER TABLE event ADD COLUMN rules_id INTEGER;
CREATE INDEX event_context ON event (context_id) WHERE context_id IS NOT NULL;
CREATE INDEX event_rules ON event (rules_id) WHERE rules_id IS NOT NULL;
