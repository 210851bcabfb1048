-- What operators did and what they were refused, rules that they applied, retries that they asked for.

CREATE TABLE operator_action (
  seq       INTEGER PRIMARY KEY,
  at        TEXT NOT NULL,
  uid       INTEGER NOT NULL,
  user      TEXT NOT NULL,       -- the name at that time
  roles     TEXT NOT NULL,       -- JSON list
  command   TEXT NOT NULL,       -- "links add", "rules apply", ...
  arguments TEXT NOT NULL,       -- JSON, ids and names only
  outcome   TEXT NOT NULL,       -- done | refused
  reason    TEXT,
  incident_id TEXT,
  object      TEXT,
  record_id   TEXT
) STRICT;
CREATE INDEX operator_action_at ON operator_action (at);

CREATE TABLE rules_revision (    -- rules files applied by `rules apply`; the highest one standing is in force
  number       INTEGER PRIMARY KEY,
  at           TEXT NOT NULL,
  uid          INTEGER NOT NULL,
  user         TEXT NOT NULL,
  name         TEXT NOT NULL,    -- of the file that was applied
  content      TEXT NOT NULL,
  withdrawn_at TEXT              -- set by `rules rollback`
) STRICT;

ALTER TABLE action ADD COLUMN retried_at TEXT;  -- an operator's retry: retry_for counts from here
ALTER TABLE attempt ADD COLUMN requests TEXT;   -- JSON: [[system, operation, answer], ...]
