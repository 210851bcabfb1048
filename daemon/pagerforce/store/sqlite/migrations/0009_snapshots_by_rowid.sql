-- Snapshots are wide rows: in a table WITHOUT ROWID, one above a quarter of a page goes to pages of its own,
-- which takes twice the space and twice the time (ADR 10).

ALTER TABLE incident RENAME TO incident_before;
CREATE TABLE incident (
  id       TEXT NOT NULL PRIMARY KEY,
  is_open  INTEGER NOT NULL,
  entry_at TEXT,               -- time of the newest log entry folded into it
  data     TEXT NOT NULL
) STRICT;
INSERT INTO incident (id, is_open, entry_at, data)
  SELECT id, is_open, entry_at, data FROM incident_before ORDER BY id;
DROP TABLE incident_before;
CREATE INDEX incident_open ON incident (id) WHERE is_open = 1;

ALTER TABLE record RENAME TO record_before;
CREATE TABLE record (
  id     TEXT NOT NULL PRIMARY KEY,
  object TEXT NOT NULL,
  data   TEXT NOT NULL
) STRICT;
INSERT INTO record (id, object, data) SELECT id, object, data FROM record_before ORDER BY id;
DROP TABLE record_before;
CREATE INDEX record_object ON record (object, id);
